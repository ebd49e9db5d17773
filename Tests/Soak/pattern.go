package main

import (
	"bytes"
	"encoding/binary"
)

// generator makes an endless sequence of bytes from a seed; any part of it can be had without the parts before, so each
// byte of a connection can be told from every other one's.
type generator uint64

// mix is SplitMix64's hash.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func (g generator) word(index uint64) uint64 { return mix(uint64(g) + index*0x9e3779b97f4a7c15) }

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

// patternPeriodBytes is where the pods' pattern begins again.
const patternPeriodBytes = 256 << 10

// pattern is what a pod's source sends, twice the period: Tests/Peers/README.md.
var pattern = makePattern()

func makePattern() []byte {
	made := make([]byte, 2*patternPeriodBytes)
	for i := range made {
		at := i % patternPeriodBytes
		made[i] = byte(7*at + at>>8)
	}
	return made
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
