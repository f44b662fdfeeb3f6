package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/spf13/cobra"
)

func (c *Console) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Execute tasks and answer health checks over HTTP",
		Long: `Do what worker does, and answer over HTTP on --listen:

  /healthz  200 while the process lives
  /readyz   200 while it claims and its store answers, else 503; names what is wrong, also pending tasks whose type no
            living worker handles`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			listener, err := c.listen(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { _ = listener.Close() }() // the server may have closed it
			return c.work(cmd.Context(), listener)
		},
	}
}

// listen opens the configured address. There is no authentication yet, so it must be the machine's own.
func (c *Console) listen(ctx context.Context) (net.Listener, error) {
	address := c.Settings.Text("listen")
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usage("listen: %w", err)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return nil, usage("listen: %q is not a loopback address, and other ones come with a later version", host)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}

// serving is a running HTTP server.
type serving struct {
	failed <-chan error
	stop   func()
}

func (h *health) serve(listener net.Listener) serving {
	server := &http.Server{Handler: h.mux(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	failed := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); err != http.ErrServerClosed {
			failed <- fmt.Errorf("serve %s: %w", listener.Addr(), err)
		}
	}()
	h.log.Info("listening", "address", listener.Addr().String())
	return serving{failed: failed, stop: func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = server.Shutdown(ctx) // what is not answered within a second was a health check
		<-done
	}}
}
