package main

import (
	"math"

	"ffwd/traffic"
)

func newGenerator(seed uint64, connection int) traffic.Generator {
	return traffic.Generator(traffic.Mix(seed*0x9e3779b97f4a7c15 + uint64(connection) + 1))
}

// chunkBytesMax is the longest chunk that a client writes at once.
const chunkBytesMax = 256 << 10

// chunkSize is the length of a connection's n-th chunk: so that each power of two up to the longest is as likely.
func chunkSize(g traffic.Generator, n uint64) int {
	return int(math.Exp2(g.Fraction(n^1<<63) * math.Log2(chunkBytesMax)))
}
