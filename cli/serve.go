package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/globaltask/gtf/internal/web"
)

func (c *Console) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Execute tasks and answer over HTTP: the API, health checks, metrics",
		Long: `Do what worker does, and answer over HTTP on --listen:

  /         pages: a list of tasks, each of them, and the cancel dialog
  /api/v1/  the HTTP API: tasks that people may see and cancel; /api/v1/openapi.json describes it
  /healthz  200 while the process lives
  /readyz   200 while it claims and its store answers, else 503; names what is wrong to admins, also pending tasks whose
            type no living worker handles
  /metrics  for Prometheus, with --serve-metrics-token

With --serve-admin-listen, another address answers /healthz, /readyz, /metrics and, with --serve-pprof, /debug/pprof/ without
asking who wants to know. With --serve-work=false no tasks are executed.

The first SIGTERM or SIGINT makes /readyz say 503 and ends event streams, whose clients come back elsewhere; then it is as
with worker. Requests are answered until the last task is done.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := c.openSite(cmd.Context())
			if err != nil {
				return err
			}
			defer s.close() // harmless if the servers have closed what there is
			return c.work(cmd.Context(), s)
		},
	}
}

// serveSettings are those of the HTTP server.
func serveSettings() []Setting {
	serve := []string{"serve"}
	return withFiles([]Setting{
		{Name: "listen", Default: "127.0.0.1:8080", Commands: serve,
			Usage: "the address of serve; other than loopback ones want authentication."},
		{Name: "serve.admin_listen", Commands: serve,
			Usage: "another address, for health checks, metrics and profiles; it asks nobody who they are, so keep it from strangers."},
		{Name: "serve.base", Commands: nowhere,
			Usage: "a path that everything but health checks is under, such as /gtf, for a proxy that passes only that on."},
		{Name: "serve.cors_origins", Kind: KindList, Commands: nowhere,
			Usage: "origins such as https://example.com whose pages may call the API."},
		{Name: "serve.max_connections", Kind: KindInt, Default: "10000", Commands: nowhere,
			Usage: "connections open at once on listen; others wait."},
		{Name: "serve.metrics_token", Secret: true, Commands: nowhere,
			Usage: "whoever sends it as bearer token gets /metrics on listen, too."},
		{Name: "serve.pprof", Kind: KindBool, Default: "false", Commands: nowhere,
			Usage: "profiles of the process under /debug/pprof/ of serve.admin_listen."},
		{Name: "serve.tls_cert", Commands: serve,
			Usage: "a PEM file with the certificate and its chain, for HTTPS; read again when it changes."},
		{Name: "serve.tls_key", Commands: serve, Usage: "the PEM file with its key."},
		{Name: "serve.work", Kind: KindBool, Default: "true", Commands: serve, Usage: "execute tasks as well."},
	})
}

// openSite checks the settings of serve and takes its addresses, before anything else is opened.
func (c *Console) openSite(ctx context.Context) (s *site, err error) {
	s = &site{
		base: c.Settings.Text("serve.base"), connections: c.Settings.Int("serve.max_connections"),
		origins: c.Settings.list("serve.cors_origins"), pprof: c.Settings.Bool("serve.pprof"), work: c.Settings.Bool("serve.work"),
		log: c.Logger(slog.LevelInfo), metrics: newMetrics(c.version()), login: c.Settings.Text("auth.oidc.issuer") != "",
	}
	if c.Settings.Bool("auth.demo") {
		s.people = auth.DemoPeople()
	}
	admin := c.Settings.Text("serve.admin_listen")
	switch {
	case !web.IsBase(s.base):
		return nil, usage("serve.base: %q is not a path like /gtf", s.base)
	case s.pprof && admin == "":
		return nil, usage("serve.pprof wants serve.admin_listen: profiles are not for everybody")
	}
	if s.token, err = c.secret("serve.metrics_token"); err != nil {
		return nil, err
	}
	if s.cert, err = c.certificate(s.log); err != nil {
		return nil, err
	}
	if s.who, s.mount, err = c.authenticator(ctx, c.Settings.Text("listen")); err != nil {
		return nil, err
	}
	if s.main, err = listen(ctx, "listen", c.Settings.Text("listen")); err != nil {
		return nil, err
	}
	if admin != "" {
		if s.admin, err = listen(ctx, "serve.admin_listen", admin); err != nil {
			return nil, errors.Join(err, s.main.Close())
		}
	}
	return s, nil
}

func (c *Console) certificate(log *slog.Logger) (*web.Certificate, error) {
	cert, key := c.Settings.Text("serve.tls_cert"), c.Settings.Text("serve.tls_key")
	if (cert == "") != (key == "") {
		return nil, usage("serve.tls_cert and serve.tls_key belong together")
	}
	if cert == "" {
		return nil, nil
	}
	loaded, err := web.LoadCertificate(cert, key, log)
	if err != nil {
		return nil, usage("serve.tls_cert: %w", err)
	}
	return loaded, nil
}

func listen(ctx context.Context, setting, address string) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, usage("%s: %w", setting, err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return l, nil
}
