package web

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Certificate is a pair of files, read again when one of them has changed.
type Certificate struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex
	now    *tls.Certificate
	files  [2]fs.FileInfo
	looked time.Time
}

// lookAgain is how long a look at the files is good for.
const lookAgain = time.Second

// LoadCertificate reads a certificate with its chain and its key, both PEM.
func LoadCertificate(cert, key string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key, log: log}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// load reads both files. They are looked at before: what changes in between is found at the next look.
func (c *Certificate) load() error {
	c.looked = time.Now()
	files, err := c.stat()
	if err != nil {
		return err
	}
	c.files = files
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", c.cert, c.key, err)
	}
	c.now = &pair
	return nil
}

func (c *Certificate) stat() (files [2]fs.FileInfo, err error) {
	for i, name := range []string{c.cert, c.key} {
		if files[i], err = os.Stat(name); err != nil {
			return files, fmt.Errorf("certificate: %w", err)
		}
	}
	return files, nil
}

func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) >= lookAgain && c.changed() {
		if err := c.load(); err != nil { // perhaps one file of two is written; connections go on with the old pair
			c.log.Warn("cannot read the new certificate; the last one stays", "error", err)
		} else {
			c.log.Info("certificate read again", "expires", c.now.Leaf.NotAfter)
		}
	}
	return c.now, nil
}

// changed looks at the files. One that cannot be seen is as it was: it is about to be replaced.
func (c *Certificate) changed() bool {
	c.looked = time.Now()
	files, err := c.stat()
	if err != nil {
		return false
	}
	for i, f := range files {
		was := c.files[i]
		if !os.SameFile(was, f) || !was.ModTime().Equal(f.ModTime()) || was.Size() != f.Size() {
			return true
		}
	}
	return false
}
