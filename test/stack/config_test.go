package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfigErrorsNameTheKey(t *testing.T) {
	for text, want := range map[string]string{
		`{"dir":"d","domain":"example.org","dendrit":{}}`:                                        `unknown field "dendrit"`,
		`{"domain":"example.org"}`:                                                               "dir and domain must be set",
		`{"dir":"d","domain":"example.org","accounts":[{"localpart":"bob","password":"short"}]}`: "the password of bob has fewer than 8",
	} {
		file := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readConfig(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v, not %s", text, err, want)
		}
	}
}

func TestChosenPortsStayApart(t *testing.T) {
	var one, other ports
	defer one.release()
	defer other.release()
	seen := map[int]bool{}
	for _, holder := range []*ports{&one, &other, &one, &other} {
		port, err := holder.choose(0, "a test")
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] {
			t.Fatalf("port %d was given away twice", port)
		}
		seen[port] = true
	}
}

func TestWantedPortThatIsTakenIsNamed(t *testing.T) {
	listener, err := net.Listen("tcp", loopback(0))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	var held ports
	defer held.release()
	_, err = held.choose(port, "Dendrite")
	want := fmt.Sprintf("port %d is taken by another program, and Dendrite needs it", port)
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Fatalf("the error is %v", err)
	}
}
