package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asStack makes the test binary be the stack program itself, for the tests that
// kill it.
const asStack = "MAILROOM_TEST_AS_STACK"

func TestMain(m *testing.M) {
	if os.Getenv(asStack) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

var bob = Account{Localpart: "bob", Password: "bob's <secret>"}

// testConfig asks for no peer yet.
func testConfig(t *testing.T) Config {
	t.Helper()
	binary := os.Getenv("MAILROOM_DENDRITE")
	if binary == "" {
		binary = "../../.cache/bin/dendrite"
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Dir: t.TempDir(), Domain: "example.org", Accounts: []Account{bob},
		Dendrite: DendriteConfig{Binary: binary},
	}
}

// begin starts a stack and stops it at the end of the test.
func begin(t *testing.T, config Config) *stack {
	t.Helper()
	s, err := newStack(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	if err := s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func do(t *testing.T, s *stack, command string) answer {
	t.Helper()
	reply, err := s.execute(t.Context(), strings.Fields(command))
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return reply
}

func TestMatrixAccountLogsInAfterEveryKindOfEnd(t *testing.T) {
	config := testConfig(t)
	config.Dendrite.Enabled = true
	s := begin(t, config)
	room := matrixCreateRoom(t, s.dendrite.url, matrixLogin(t, s.dendrite.url, bob))
	for _, command := range []string{"restart dendrite", "kill dendrite", "start dendrite"} {
		do(t, s, command)
	}
	token := matrixLogin(t, s.dendrite.url, bob)
	matrixCall(t, http.MethodPut, s.dendrite.url+"/_matrix/client/v3/rooms/"+room+"/send/m.room.message/1", token,
		`{"msgtype":"m.text","body":"still here"}`)
}

func TestHomeserverDeliversToAppserviceWhatWasQueuedBeforeItWasKilled(t *testing.T) {
	service := newFlakyAppservice(t)
	config := testConfig(t)
	config.Dendrite.Enabled = true
	config.Dendrite.Registrations = []string{service.writeRegistration(t)}
	s := begin(t, config)

	matrixCreateRoom(t, s.dendrite.url, matrixLogin(t, s.dendrite.url, bob))
	service.waitRefused(t)
	do(t, s, "kill dendrite")
	service.recover()
	do(t, s, "start dendrite")
	service.waitAccepted(t)
}

func TestXMPPAccountLogsInAfterEveryKindOfEnd(t *testing.T) {
	config := testConfig(t)
	config.Prosody.Enabled = true
	s := begin(t, config)
	for _, command := range []string{"restart prosody", "kill prosody", "start prosody"} {
		do(t, s, command)
	}
	xmppLogin(t, s.prosody[0].client, "example.org", bob)
}

func TestProsodyHostsFederate(t *testing.T) {
	config := testConfig(t)
	config.Prosody = ProsodyConfig{
		Enabled: true, SecondHost: "other.test",
		Components: []Component{{Name: "rooms.example.org", Secret: "secret"}},
	}
	s := begin(t, config)
	component := componentConnect(t, s.prosody[0].component, "rooms.example.org", "secret")
	stranger := xmppLogin(t, s.prosody[1].client, "other.test", bob)

	stranger.send(`<message to='bob@rooms.example.org' id='m1'><body>hello</body></message>`)
	message := component.next("message")
	if !strings.HasPrefix(message.From, "bob@other.test/") || message.ID != "m1" {
		t.Fatalf("the component received %+v", message)
	}
	component.send(`<message from='bob@rooms.example.org' to='` + message.From + `' id='m2'><body>hello</body></message>`)
	if answer := stranger.next("message"); answer.ID != "m2" {
		t.Fatalf("the stranger received %+v", answer)
	}
}

func TestLaterComponentTakesThePlaceOfTheEarlier(t *testing.T) {
	config := testConfig(t)
	config.Prosody = ProsodyConfig{Enabled: true, Components: []Component{{Name: "rooms.example.org", Secret: `quo"ted\`}}}
	s := begin(t, config)
	earlier := componentConnect(t, s.prosody[0].component, "rooms.example.org", `quo"ted\`)
	componentConnect(t, s.prosody[0].component, "rooms.example.org", `quo"ted\`)
	earlier.waitClosed()
}

func TestPostgresKeepsCommittedRowsWhenKilled(t *testing.T) {
	config := testConfig(t)
	config.Postgres.Enabled = true
	s := begin(t, config)
	url := do(t, s, "createdb Sessions-1").URL
	query(t, url, `CREATE TABLE t (n int)`)
	query(t, url, `INSERT INTO t VALUES (1)`)
	do(t, s, "kill postgres")
	do(t, s, "start postgres")
	query(t, url, `INSERT INTO t SELECT 1/count(*) FROM t`)
}

func query(t *testing.T, url, statement string) {
	t.Helper()
	database, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	if _, err := database.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestSecondStartInTheSameFolderGoesOnWithTheData(t *testing.T) {
	config := testConfig(t)
	config.Dendrite.Enabled, config.Prosody.Enabled, config.Postgres.Enabled = true, true, true
	first, err := newStack(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(t, first, "createdb kept")
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	second := begin(t, config)
	query(t, second.postgres.url("kept"), `SELECT 1`)
	matrixLogin(t, second.dendrite.url, bob)
	xmppLogin(t, second.prosody[0].client, "example.org", bob)
}

func TestFailedStartShowsTheEndOfTheLog(t *testing.T) {
	config := testConfig(t)
	config.Dendrite.Enabled = true
	config.Dendrite.Registrations = []string{"/nowhere/registration.yaml"}
	s, err := newStack(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer s.ports.release()
	err = s.start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "dendrite did not start: it ended by itself") ||
		!strings.Contains(err.Error(), "/nowhere/registration.yaml") {
		t.Fatalf("the error is: %v", err)
	}
}

// matrixLogin returns an access token.
func matrixLogin(t *testing.T, url string, account Account) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"type": "m.login.password", "password": account.Password,
		"identifier": map[string]string{"type": "m.id.user", "user": account.Localpart},
	})
	if err != nil {
		t.Fatal(err)
	}
	return matrixCall(t, http.MethodPost, url+"/_matrix/client/v3/login", "", string(body))["access_token"].(string)
}

func matrixCreateRoom(t *testing.T, url, token string) string {
	t.Helper()
	return matrixCall(t, http.MethodPost, url+"/_matrix/client/v3/createRoom", token, `{}`)["room_id"].(string)
}

func matrixCall(t *testing.T, method, url, token, body string) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s", url, response.Status, text)
	}
	var fields map[string]any
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&fields); err != nil {
		t.Fatal(err)
	}
	return fields
}
