package harness

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// Free ports are taken from below the kernel's ephemeral range, so that no outgoing connection sits on the port of a program
// that is stopped for a while. The stack chooses from the same range and marks what it holds in the same way: by an abstract
// Unix socket of that name, which the kernel drops with the process.
const (
	firstPort = 20000
	lastPort  = 31999
	tries     = 200
)

// freeAddress is a loopback address that nobody else is given until the test ends.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range tries {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		mark, err := net.Listen("unix", fmt.Sprintf("@mailroom-stack-port-%d", port))
		if err != nil {
			continue
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		probe, err := net.Listen("tcp", address)
		if err != nil {
			require.NoError(t, mark.Close())
			continue
		}
		require.NoError(t, probe.Close())
		t.Cleanup(func() { _ = mark.Close() }) // nobody connects to a mark
		return address
	}
	require.FailNow(t, "no free port", "between %d and %d", firstPort, lastPort)
	return ""
}
