//go:build unix

package sqlitestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

func submission(input string) *gtf.Submission {
	id := gtf.NewID()
	return &gtf.Submission{
		ID: id, DedupKey: id.String(), Type: "test.fault", Key: id.String(), Scope: gtf.ScopeShared, Mode: gtf.ModeAsync, Queue: "default",
		Priority: 5, MaxAttempts: 1, Input: []byte(input), By: gtf.Principal{Kind: gtf.KindUser, ID: "ada"},
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, err := sqlitestore.Open(ctx, filepath.Join(t.TempDir(), "small.db"), &sqlitestore.Options{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	input := `"` + strings.Repeat("x", 10_000) + `"`
	stored := 0
	for range 20 { // to be pruned later
		sub := submission(input)
		if _, err := store.Submit(ctx, []*gtf.Submission{sub}); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Cancel(ctx, sub.ID, func(*gtf.Task) (gtf.Deed, error) { return gtf.Deed{Kind: gtf.DeedAbort}, nil }); err != nil {
			t.Fatal(err)
		}
		stored++
	}
	for {
		if _, err = store.Submit(ctx, []*gtf.Submission{submission(`1`), submission(input)}); err != nil {
			break
		}
		stored += 2
	}
	if !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("the submit that did not fit says %v, want that the disk is full", err)
	}
	page, err := store.List(ctx, &gtf.ListParams{Order: gtf.OrderCreated, PageSize: 100}, gtf.Viewer{All: true})
	if err != nil {
		t.Fatal(err)
	}
	if page.Count != stored {
		t.Errorf("%d tasks are stored after %d were accepted: a transaction was written in part", page.Count, stored)
	}
	for _, task := range page.Tasks {
		if len(task.Subscribers) != 1 {
			t.Errorf("task %s has %d subscribers, want 1", task.ID, len(task.Subscribers))
		}
	}

	// What has ended can be pruned, and then there is room again.
	if n, err := store.Prune(ctx, 0, 1000); n != 20 || err != nil {
		t.Fatalf("pruned %d tasks on a full disk (%v), want 20", n, err)
	}
	if _, err := store.Submit(ctx, []*gtf.Submission{submission(input)}); err != nil {
		t.Errorf("submit after pruning: %v", err)
	}
}

// TestReadOnly opens files that this user may not write. For root every file can be written, so it runs itself again as
// nobody.
func TestReadOnly(t *testing.T) {
	const path = "GTF_TEST_READ_ONLY"
	if file := os.Getenv(path); file != "" {
		_, err := sqlitestore.Open(context.Background(), file, nil)
		fmt.Printf("read-only: %v, %v\n", errors.Is(err, gtf.ErrReadOnly), err)
		return
	}
	t.Parallel()
	dir, err := os.MkdirTemp("", "gtf-readonly") //nolint:usetesting // others may not enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "gtf.db")
	store, err := sqlitestore.Open(t.Context(), file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "again.test")
	if err := errors.Join(os.WriteFile(binary, self, 0o755), os.Chmod(file, 0o444), os.Chmod(dir, 0o555)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=^TestReadOnly$")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), path+"="+file)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "read-only: true, open "+file) {
		t.Errorf("Open of a file that cannot be written: %v\n%s\nwant gtf.ErrReadOnly with the path", err, out)
	}
}
