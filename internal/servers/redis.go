package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// RedisOptions may be nil.
type RedisOptions struct {
	// Settings are those of redis.conf.
	Settings map[string]string
}

// Redis is a Redis or Valkey server that keeps nothing: started again, it is empty.
type Redis struct {
	*Server
	program  string
	settings map[string]string
}

// StartRedis returns when the server answers. The error is [ErrMissing] if neither Redis nor Valkey is installed.
func StartRedis(ctx context.Context, o *RedisOptions) (*Redis, error) {
	found, err := find(nil, "redis-server")
	if err != nil {
		var other error
		if found, other = find(nil, "valkey-server"); other != nil {
			return nil, err
		}
	}
	dir, err := makeDir("redis", account{})
	if err != nil {
		return nil, err
	}
	r := &Redis{program: found[0], settings: map[string]string{"save": "", "appendonly": "no"}}
	if o != nil {
		maps.Copy(r.settings, o.Settings)
	}
	r.Server = &Server{
		name: "redis", dir: dir, start: r.command, ping: r.answers,
		halt: [2]syscall.Signal{Fast: syscall.SIGTERM, Immediate: syscall.SIGKILL},
	}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// URL is that of database 0.
func (r *Redis) URL() string { return "redis://" + r.Addr() + "/0" }

func (r *Redis) command() (*exec.Cmd, error) {
	args := []string{"--bind", "127.0.0.1", "--port", strconv.Itoa(r.port), "--dir", r.dir.path, "--daemonize", "no"}
	args = append(args, arguments(r.settings, func(name, value string) []string { return []string{"--" + name, value} })...)
	return account{}.command(r.dir.path, r.program, args...), nil
}

// answers tells by the process whether it is this server that has the port.
func (r *Redis) answers(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.Addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline() // none: the zero time, which is none as well
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "INFO server\r\n"); err != nil {
		return err
	}
	want := "process_id:" + strconv.Itoa(r.proc.cmd.Process.Pid)
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == want:
			return nil
		case strings.HasPrefix(line, "process_id:"):
			return fmt.Errorf("%s is the port of another server: %s", r.Addr(), line)
		case strings.HasPrefix(line, "-"):
			return errors.New(line[1:])
		}
	}
	return errors.Join(lines.Err(), fmt.Errorf("%s does not say %s", r.Addr(), want))
}
