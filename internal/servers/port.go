package servers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// freePort chooses a port that nobody listens on. It stays below those that systems give to outgoing connections: a
// client that tries to connect while the server is down would sooner or later get the server's port, and connect to itself.
func freePort() (int, error) {
	var err error
	for range 100 {
		port := 15000 + rand.IntN(17000)
		var l net.Listener
		l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx // takes no time
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("find a free port: %w", err)
}
