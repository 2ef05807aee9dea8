package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// trialRun is a trial that goes on while a test looks at it.
type trialRun struct {
	t     *testing.T
	ports trialPorts
	steps string // what it told the person
	stop  context.CancelFunc
	ended chan error
}

// startTrial waits until the trial has said what to do next.
func startTrial(t *testing.T, dir string, ports trialPorts) *trialRun {
	t.Helper()
	programs := testPrograms(t)
	ctx, stop := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	run := &trialRun{t: t, ports: ports, stop: stop, ended: make(chan error, 1)}
	go func() {
		err := try(ctx, programs, dir, ports, writer)
		// The pipe's Close has no error to return.
		_ = writer.Close()
		run.ended <- err
	}()
	var told strings.Builder
	for buffer := make([]byte, 4096); !strings.Contains(told.String(), "Ctrl-C stops"); {
		n, err := reader.Read(buffer)
		if err != nil {
			t.Fatalf("the trial ended: %v", <-run.ended)
		}
		told.Write(buffer[:n])
	}
	run.steps = told.String()
	go io.Copy(io.Discard, reader)
	return run
}

// testPrograms are those that `make test` names, or those of the last build.
func testPrograms(t *testing.T) trialPrograms {
	t.Helper()
	programs := trialPrograms{mailroom: os.Getenv("MAILROOM_BINARY"), dendrite: testConfig(t).Dendrite.Binary}
	if programs.mailroom == "" {
		programs.mailroom = "../../mailroom"
	}
	return programs
}

func (r *trialRun) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.ended; err != nil {
		r.t.Fatal(err)
	}
}

// sendFirstMail does what the first step says.
func (r *trialRun) sendFirstMail() {
	r.t.Helper()
	_, command, _ := strings.Cut(r.steps, "In another terminal:")
	command, _, found := strings.Cut(command, "\n2. ")
	if !found {
		r.t.Fatalf("no command in the steps: %s", r.steps)
	}
	r.shell(command)
}

func (r *trialRun) shell(command string) {
	r.t.Helper()
	output, err := exec.CommandContext(r.t.Context(), "sh", "-c", command).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %s", err, output)
	}
}

// waitOutbox waits until the outgoing mail holds the text.
func (r *trialRun) waitOutbox(text string) {
	r.t.Helper()
	r.waitFor(text+" in the outbox", func() bool {
		return strings.Contains(r.get("http://"+loopback(r.ports.Web)+"/dev/outbox.json", ""), text)
	})
}

// waitMatrixInvitation waits until the user is invited into a room.
func (r *trialRun) waitMatrixInvitation(account Account) {
	r.t.Helper()
	homeserver := "http://" + loopback(r.ports.Dendrite)
	token := matrixLogin(r.t, homeserver, account)
	r.waitFor("the Matrix invitation", func() bool {
		return strings.Contains(r.get(homeserver+"/_matrix/client/v3/sync", token), "invite_state")
	})
}

// waitXMPPInvitation waits until the session's room has invited the user.
func (r *trialRun) waitXMPPInvitation(account Account) {
	r.t.Helper()
	client := xmppLogin(r.t, loopback(r.ports.Client), trialDomain, account)
	if message := client.next("message"); !strings.HasSuffix(message.From, "@rooms."+trialDomain) {
		r.t.Fatalf("%s received %+v", account.Localpart, message)
	}
}

func (r *trialRun) waitFor(what string, happened func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !happened() {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s did not come within a minute", what)
		}
		<-time.After(pollInterval)
	}
}

func (r *trialRun) get(url, token string) string {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// freeTrialPorts are ports that no other stack chooses while this test chooses.
func freeTrialPorts(t *testing.T) trialPorts {
	t.Helper()
	var held ports
	defer held.release()
	var free trialPorts
	for _, port := range []*int{
		&free.Web, &free.SMTP, &free.Submission, &free.Matrix, &free.Metrics,
		&free.Dendrite, &free.Client, &free.Component,
	} {
		var err error
		if *port, err = held.choose(0, "a test"); err != nil {
			t.Fatal(err)
		}
	}
	return free
}

func TestFirstMailOfATrialReachesEverybodyAndTheNextRunGoesOn(t *testing.T) {
	dir, ports := t.TempDir(), freeTrialPorts(t)
	first := startTrial(t, dir, ports)
	first.sendFirstMail()
	first.waitOutbox("bob@example.net")
	passwords := openedTrial(t, dir, ports).Secrets.Passwords
	first.waitMatrixInvitation(Account{Localpart: "carol", Password: passwords["carol"]})
	first.waitXMPPInvitation(Account{Localpart: "dave", Password: passwords["dave"]})
	first.end()

	second := startTrial(t, dir, ports)
	defer second.end()
	if first.steps != second.steps {
		t.Errorf("the second run says %s", second.steps)
	}
}

func TestFirstMailIsSentByPythonWhereCurlIsMissing(t *testing.T) {
	dir, ports := t.TempDir(), freeTrialPorts(t)
	run := startTrial(t, dir, ports)
	defer run.end()
	command, err := fill(pythonTemplate, openedTrial(t, dir, ports))
	if err != nil {
		t.Fatal(err)
	}
	run.shell(command)
	run.waitOutbox("bob@example.net")
}

func openedTrial(t *testing.T, dir string, ports trialPorts) *trial {
	t.Helper()
	opened, err := openTrial(dir, ports)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func TestTrialNamesEveryPortOfMailroomThatIsTaken(t *testing.T) {
	ports := freeTrialPorts(t)
	for _, port := range []int{ports.Web, ports.Submission} {
		server := http.Server{Addr: loopback(port)}
		t.Cleanup(func() { server.Close() })
		go server.ListenAndServe()
		for !listening(loopback(port)) {
			<-time.After(pollInterval)
		}
	}
	err := try(t.Context(), testPrograms(t), t.TempDir(), ports, io.Discard)
	for _, want := range []string{
		fmt.Sprintf("port %d is taken by another program, and Mailroom's page needs it", ports.Web),
		fmt.Sprintf("port %d is taken by another program, and Mailroom's mail submission needs it", ports.Submission),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v", err)
		}
	}
}
