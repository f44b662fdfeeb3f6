//go:build unix && !linux

package bench

import (
	"runtime"
	"syscall"
)

// peakMemory is the most resident memory this process ever had, in bytes.
func peakMemory() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	if most := int64(usage.Maxrss); runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return most
	}
	return int64(usage.Maxrss) << 10 // KiB everywhere else
}
