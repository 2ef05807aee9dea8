package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is a stack that runs as a process of its own.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Scanner
}

func runProgram(t *testing.T, config Config) (*program, ready) {
	t.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, cmd: exec.CommandContext(t.Context(), os.Args[0], "up", "-config", file)}
	p.cmd.Env = append(os.Environ(), asStack+"=1")
	p.cmd.Stderr = t.Output()
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewScanner(stdout)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var addresses ready
	p.read(&addresses)
	return p, addresses
}

// read takes one line of JSON from the program.
func (p *program) read(value any) {
	p.t.Helper()
	if !p.stdout.Scan() {
		p.t.Fatalf("the stack said nothing: %v", p.stdout.Err())
	}
	if err := json.Unmarshal(p.stdout.Bytes(), value); err != nil {
		p.t.Fatalf("%s: %v", p.stdout.Bytes(), err)
	}
}

func (p *program) command(line string) answer {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
	var reply answer
	p.read(&reply)
	return reply
}

func allPeers(t *testing.T) Config {
	config := testConfig(t)
	config.Dendrite.Enabled, config.Prosody.Enabled, config.Postgres.Enabled = true, true, true
	return config
}

// waitGone waits until nobody listens at the peers' addresses.
func waitGone(t *testing.T, addresses ready) {
	t.Helper()
	_, postgres, _ := strings.Cut(addresses.Postgres.URL, "@")
	postgres, _, _ = strings.Cut(postgres, "/")
	for _, address := range []string{strings.TrimPrefix(addresses.Dendrite.URL, "http://"), addresses.Prosody.Client, postgres} {
		deadline := time.Now().Add(stopTimeout)
		for listening(address) {
			if time.Now().After(deadline) {
				t.Fatalf("somebody still listens at %s", address)
			}
			<-time.After(pollInterval)
		}
	}
}

func listening(address string) bool {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	connection.Close()
	return true
}

func TestProgramObeysCommandsAndQuits(t *testing.T) {
	config := testConfig(t)
	config.Prosody.Enabled = true
	p, addresses := runProgram(t, config)
	if reply := p.command("stop prosody"); !reply.OK || listening(addresses.Prosody.Client) {
		t.Fatalf("stop: %+v", reply)
	}
	if reply := p.command("start prosody"); !reply.OK || !listening(addresses.Prosody.Client) {
		t.Fatalf("start: %+v", reply)
	}
	if reply := p.command("start prosody"); reply.Error != "prosody is running already" {
		t.Fatalf("start twice: %+v", reply)
	}
	if reply := p.command("stop mail"); reply.Error != `there is no peer "mail" in this stack` {
		t.Fatalf("stop of a stranger: %+v", reply)
	}
	if reply := p.command("dance"); reply.OK || !strings.HasPrefix(reply.Error, `unknown command "dance"`) {
		t.Fatalf("an unknown command: %+v", reply)
	}
	if reply := p.command("quit"); !reply.OK {
		t.Fatalf("quit: %+v", reply)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestPeersEndWithTheInput(t *testing.T) {
	p, addresses := runProgram(t, allPeers(t))
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	waitGone(t, addresses)
}

func TestPeersEndWhenTheStackIsTerminated(t *testing.T) {
	p, addresses := runProgram(t, allPeers(t))
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	waitGone(t, addresses)
}

func TestPeersEndWhenTheStackIsKilled(t *testing.T) {
	p, addresses := runProgram(t, allPeers(t))
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	waitGone(t, addresses)
	if err := p.cmd.Wait(); err == nil {
		t.Fatal("a killed stack reported success")
	}
}
