//go:build !unix

package bench

// peakMemory is not known here.
func peakMemory() int64 { return 0 }
