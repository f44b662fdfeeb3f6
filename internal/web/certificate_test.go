package web_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/globaltask/gtf/internal/web"
)

// pair is a certificate in files.
type pair struct{ cert, key string }

func newPair(t *testing.T) pair {
	dir := t.TempDir()
	return pair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// issue makes a certificate with a name, of itself.
func issue(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// replace puts a file in the place of another, as tools that renew certificates do.
func replace(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func (p pair) issue(t *testing.T, name string) {
	t.Helper()
	cert, key := issue(t, name)
	replace(t, p.cert, cert)
	replace(t, p.key, key)
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	files, log := newPair(t), &logged{}
	files.issue(t, "first")
	cert, err := web.LoadCertificate(files.cert, files.key, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	_, address := serve(t, web.Wrap(http.HandlerFunc(hello), web.Options{}), web.ServerOptions{Certificate: cert, Logger: log.logger()})
	shown := func() string {
		t.Helper()
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := shown(); got != "first" {
		t.Fatalf("the certificate is %q", got)
	}
	files.issue(t, "second")
	eventually(t, "the second certificate is shown", func() bool { return shown() == "second" })
	if line := log.line(t, "certificate read again"); line["expires"] == nil {
		t.Errorf("the line is %v", line)
	}

	// A new certificate whose key is late: the old pair is shown until then, and one line says so.
	third, key := issue(t, "third")
	replace(t, files.cert, third)
	eventually(t, "the broken pair is noticed", func() bool {
		if got := shown(); got != "second" {
			t.Fatalf("the certificate is %q", got)
		}
		return len(log.lines(t, "cannot read the new certificate; the last one stays")) > 0
	})
	if err := os.Remove(files.key); err != nil {
		t.Fatal(err)
	}
	shown() // a file that is away for a moment harms nothing
	replace(t, files.key, key)
	eventually(t, "the third certificate is shown", func() bool { return shown() == "third" })
	log.line(t, "cannot read the new certificate; the last one stays")

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("https://" + address)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); got.Body != "hello" || resp.ProtoMajor != 2 {
		t.Errorf("got %q by %s, want hello by HTTP/2", got.Body, resp.Proto)
	}
	if conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11}); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
	eventually(t, "the refused handshake is logged", func() bool { return len(log.lines(t, "connection failed")) > 0 })
	if got := log.lines(t, "connection failed"); got[0]["level"] != "DEBUG" {
		t.Errorf("the refused handshake is logged as %v, want at debug", got)
	}
}

func TestLoadCertificate(t *testing.T) {
	t.Parallel()
	files := newPair(t)
	log := &logged{}
	if _, err := web.LoadCertificate(files.cert, files.key, log.logger()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without files the error is %v", err)
	}
	files.issue(t, "first")
	other, _ := issue(t, "other")
	replace(t, files.cert, other)
	if _, err := web.LoadCertificate(files.cert, files.key, log.logger()); err == nil {
		t.Error("a certificate with another one's key is taken")
	}
}
