package web_test

import (
	"testing"
	"time"

	"github.com/globaltask/gtf/internal/web"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	tests := []struct {
		d    time.Duration
		want string
	}{
		{-time.Second, "<1s"}, {0, "<1s"}, {999 * time.Millisecond, "<1s"}, {time.Second, "1s"}, {59*time.Second + 999*time.Millisecond, "59s"},
		{time.Minute, "1m"}, {61 * time.Second, "1m 1s"}, {4*time.Minute + 59*time.Second, "4m 59s"}, {time.Hour, "1h"},
		{time.Hour + 59*time.Second, "1h"}, {time.Hour + 2*time.Minute + 3*time.Second, "1h 2m"}, {26 * time.Hour, "1d 2h"}, {90 * 24 * time.Hour, "90d"},
	}
	for _, tt := range tests {
		t.Run("says "+tt.want, func(t *testing.T) {
			t.Parallel()
			if got := web.Duration(tt.d); got != tt.want {
				t.Errorf("Duration(%v) = %q, want %q", tt.d, got, tt.want)
			}
		})
	}
}

func TestAgo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		t    time.Time
		want string
	}{
		{now, "now"}, {now.Add(-12 * time.Second), "12s ago"}, {now.Add(-125 * time.Second), "2m ago"},
		{now.Add(-49 * time.Hour), "2d ago"}, {now.Add(5 * time.Minute), "in 5m"},
	}
	for _, tt := range tests {
		t.Run("says "+tt.want, func(t *testing.T) {
			t.Parallel()
			if got := web.Ago(now, tt.t); got != tt.want {
				t.Errorf("Ago(%v) = %q, want %q", tt.t, got, tt.want)
			}
		})
	}
}
