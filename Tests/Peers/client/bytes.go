package main

import (
	"bytes"
	"encoding/binary"
	"math"
)

// generator makes an endless sequence of bytes from a seed; any part of it can be had without the parts before.
//
// Word k of eight bytes is a SplitMix64 hash of the seed and k: two multiplications for eight bytes.
type generator uint64

func newGenerator(seed uint64, connection int) generator {
	return generator(mix(seed*0x9e3779b97f4a7c15 + uint64(connection) + 1))
}

func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func (g generator) word(index uint64) uint64 {
	return mix(uint64(g) + index*0x9e3779b97f4a7c15)
}

// fill writes the bytes of the sequence from position at on.
func (g generator) fill(destination []byte, at int64) {
	index := uint64(at) / 8
	var word [8]byte
	if skip := at % 8; skip != 0 {
		binary.LittleEndian.PutUint64(word[:], g.word(index))
		destination = destination[copy(destination, word[skip:]):]
		index++
	}
	for len(destination) >= 8 {
		binary.LittleEndian.PutUint64(destination, g.word(index))
		destination = destination[8:]
		index++
	}
	if len(destination) > 0 {
		binary.LittleEndian.PutUint64(word[:], g.word(index))
		copy(destination, word[:])
	}
}

// chunkBytesMax is the longest chunk that a client writes at once.
const chunkBytesMax = 256 << 10

// chunkSize is the length of a connection's n-th chunk: so that each power of two up to the longest is as likely.
func (g generator) chunkSize(n uint64) int {
	unit := float64(g.word(n^1<<63)>>11) / (1 << 53)
	return int(math.Exp2(unit * math.Log2(chunkBytesMax)))
}

// patternPeriodBytes is where the pod's pattern begins again.
const patternPeriodBytes = 256 << 10

// pattern holds what a pod's source sends, twice the period.
var pattern = makePattern()

func makePattern() []byte {
	bytes := make([]byte, 2*patternPeriodBytes)
	for i := range bytes {
		at := i % patternPeriodBytes
		bytes[i] = byte(7*at + at>>8)
	}
	return bytes
}

// isPattern says whether received are the bytes of the pattern from position at on.
func isPattern(received []byte, at int64) bool {
	for len(received) > 0 {
		n := len(received)
		if n > patternPeriodBytes {
			n = patternPeriodBytes
		}
		from := at % patternPeriodBytes
		if !bytes.Equal(received[:n], pattern[from:from+int64(n)]) {
			return false
		}
		received = received[n:]
		at += int64(n)
	}
	return true
}
