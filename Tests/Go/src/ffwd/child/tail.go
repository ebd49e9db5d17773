package child

import (
	"strings"
	"sync"
)

// tailBytesMax is how much a Tail keeps.
const tailBytesMax = 256 << 10

// Tail keeps the end of what a program says.
type Tail struct {
	mutex sync.Mutex
	bytes []byte
	all   int
}

func (t *Tail) Write(bytes []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.all += len(bytes)
	t.bytes = append(t.bytes, bytes...)
	if excess := len(t.bytes) - tailBytesMax; excess > 0 {
		t.bytes = append([]byte(nil), t.bytes[excess:]...)
	}
	return len(bytes), nil
}

// Text is all that it keeps.
func (t *Tail) Text() string { return t.Since(0) }

// Since is what was said after so many bytes, as far as it is kept.
func (t *Tail) Since(position int) string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	from := position - (t.all - len(t.bytes))
	if from < 0 {
		from = 0
	}
	return string(t.bytes[from:])
}

// Length is how many bytes were said.
func (t *Tail) Length() int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.all
}

// Last is the last line.
func (t *Tail) Last() string {
	text := strings.TrimSpace(t.Text())
	return text[strings.LastIndexByte(text, '\n')+1:]
}
