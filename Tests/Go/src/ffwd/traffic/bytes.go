// Package traffic is what the test programs send and expect: bytes that can be told from each other by their place.
package traffic

import (
	"bytes"
	"encoding/binary"
)

// Generator makes an endless sequence of bytes from a seed; any part of it can be had without the parts before, so each
// byte of a connection can be told from every other one's.
//
// Word k of eight bytes is a SplitMix64 hash of the seed and k: two multiplications for eight bytes.
type Generator uint64

// Mix is SplitMix64's hash.
func Mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// Word is the word of this index in the sequence.
func (g Generator) Word(index uint64) uint64 { return Mix(uint64(g) + index*0x9e3779b97f4a7c15) }

// Fraction is the word of this index, at least 0 and below 1.
func (g Generator) Fraction(index uint64) float64 { return float64(g.Word(index)>>11) / (1 << 53) }

// Fill writes the bytes of the sequence from position at on.
func (g Generator) Fill(destination []byte, at int64) {
	index := uint64(at) / 8
	var word [8]byte
	if skip := at % 8; skip != 0 {
		binary.LittleEndian.PutUint64(word[:], g.Word(index))
		destination = destination[copy(destination, word[skip:]):]
		index++
	}
	for len(destination) >= 8 {
		binary.LittleEndian.PutUint64(destination, g.Word(index))
		destination = destination[8:]
		index++
	}
	if len(destination) > 0 {
		binary.LittleEndian.PutUint64(word[:], g.Word(index))
		copy(destination, word[:])
	}
}

// PatternPeriodBytes is where the pods' pattern begins again.
const PatternPeriodBytes = 256 << 10

// Pattern is what a pod's source sends, twice the period, so that any place has a full period behind it
// (Tests/Peers/README.md).
var Pattern = makePattern()

func makePattern() []byte {
	made := make([]byte, 2*PatternPeriodBytes)
	for i := range made {
		at := i % PatternPeriodBytes
		made[i] = byte(7*at + at>>8)
	}
	return made
}

// IsPattern says whether received are the bytes of the pattern from position at on.
func IsPattern(received []byte, at int64) bool {
	for len(received) > 0 {
		n := len(received)
		if n > PatternPeriodBytes {
			n = PatternPeriodBytes
		}
		from := at % PatternPeriodBytes
		if !bytes.Equal(received[:n], Pattern[from:from+int64(n)]) {
			return false
		}
		received = received[n:]
		at += int64(n)
	}
	return true
}
