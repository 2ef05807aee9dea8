package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"mailroom/app"

	"github.com/google/uuid"
)

// commands is the command line.
type commands struct {
	File     string     `short:"c" name:"config" placeholder:"mailroom.yaml" default:"mailroom.yaml" help:"The configuration file."`
	LogLevel slog.Level `default:"info" help:"What is logged: debug, info, warn or error."`

	Serve        serve        `cmd:"" help:"Run the server."`
	Local        local        `cmd:"" help:"Run the server to try it: outgoing mail is caught and shown under /dev/outbox."`
	Check        check        `cmd:"" help:"Say what is wrong with this installation, and how to mend it."`
	Registration registration `cmd:"" help:"Write the registration file for the Matrix homeserver."`
	Migrate      migrate      `cmd:"" help:"Bring the database up to date."`
	Version      showVersion  `cmd:"" help:"Print the version."`
	Config       struct {
		Init configInit `cmd:"" help:"Write a sample configuration file."`
	} `cmd:"" help:"Begin a configuration."`
	Sessions sessions `cmd:"" help:"See and end sessions, and hand out or erase a person's data."`
	Audit    audit    `cmd:"" help:"What operators did, and what abuse was reported."`
	Limits   struct {
		List limitsList `cmd:"" help:"What was used of the limits today, the most first."`
		Lift limitsLift `cmd:"" help:"Let a limit begin anew."`
	} `cmd:"" help:"The limits against abuse."`
	Account struct {
		Add accountAdd `cmd:"" help:"Give an address an app password for sending mail through us, and print it."`
	} `cmd:"" help:"Accounts for mail submission."`
	Token struct {
		Create tokenCreate `cmd:"" help:"Make a bearer token for the API, and print it."`
	} `cmd:"" help:"Tokens for the API."`
}

type (
	serve        struct{}
	local        struct{}
	check        struct{}
	registration struct{}
	migrate      struct{}
	showVersion  struct{}
	configInit   struct{}
	accountAdd   struct {
		Address string `arg:"" help:"As alice@example.org."`
	}
	tokenCreate struct {
		As    string `required:"" placeholder:"ADDRESS" help:"The address that the token acts as."`
		Admin bool   `help:"The token may act on every session."`
	}
)

func (serve) Run(l loaded) error        { return l.serve(app.Options{Version: version}) }
func (local) Run(l loaded) error        { return l.serve(app.Options{Version: version, Local: true}) }
func (check) Run(l loaded) error        { return app.RunCheck(l, l.config, l.log, os.Stdout) }
func (registration) Run(l loaded) error { return app.RunRegistration(l.config, os.Stdout) }
func (migrate) Run(l loaded) error      { return app.RunMigrate(l, l.config, l.log, os.Stdout) }
func (configInit) Run(l loaded) error   { return app.RunConfigInit(l.file, os.Stdout) }
func (showVersion) Run() error          { _, err := fmt.Println(version); return err }
func (a accountAdd) Run(l loaded) error { return l.desk().AddAccount(l, a.Address) }
func (t tokenCreate) Run(l loaded) error {
	return l.desk().CreateToken(l, app.TokenRequest(t))
}

// sessions are the commands about sessions and the people in them.
type sessions struct {
	List    sessionsList    `cmd:"" help:"The newest sessions, without their content."`
	Show    sessionsShow    `cmd:"" help:"Who is in a session, and what it allows and keeps; nothing of what was said."`
	Close   sessionsClose   `cmd:"" help:"Close a session: nothing new can be said in it. Off the record, it is gone."`
	Revoke  sessionsRevoke  `cmd:"" help:"End one person's part in a session."`
	Hold    sessionsHold    `cmd:"" help:"Put a session on legal hold: nothing in it is erased."`
	Release sessionsRelease `cmd:"" help:"Take the legal hold off."`
	Export  sessionsExport  `cmd:"" help:"Print everything that is kept of one person, as JSON."`
	Erase   sessionsErase   `cmd:"" help:"Erase one person: what they said, their names and addresses, and what waits to be mailed to them."`
}

type (
	sessionsList struct {
		Limit int  `default:"50" help:"How many."`
		JSON  bool `name:"json" help:"Print JSON."`
	}
	sessionsShow struct {
		ID   uuid.UUID `arg:"" help:"The session."`
		JSON bool      `name:"json" help:"Print JSON."`
	}
	sessionsClose struct {
		ID uuid.UUID `arg:"" help:"The session."`
	}
	sessionsRevoke struct {
		ID         uuid.UUID `arg:"" help:"The session."`
		Who        string    `arg:"" placeholder:"MEMBER-OR-ADDRESS" help:"The person's id as a member, or an address of theirs."`
		RemoveSaid bool      `help:"Take away what they said, too."`
	}
	sessionsHold struct {
		ID uuid.UUID `arg:"" help:"The session."`
	}
	sessionsRelease struct {
		ID uuid.UUID `arg:"" help:"The session."`
	}
	sessionsExport struct {
		Address string `required:"" help:"An address of the person, as alice@example.org."`
	}
	sessionsErase struct {
		Address string `required:"" help:"An address of the person, as alice@example.org."`
	}
)

func (s sessionsList) Run(l loaded) error  { return l.desk().ListSessions(l, s.Limit, s.JSON) }
func (s sessionsShow) Run(l loaded) error  { return l.desk().ShowSession(l, s.ID, s.JSON) }
func (s sessionsClose) Run(l loaded) error { return l.desk().CloseSession(l, s.ID) }
func (s sessionsRevoke) Run(l loaded) error {
	return l.desk().RevokeMember(l, s.ID, s.Who, s.RemoveSaid)
}
func (s sessionsHold) Run(l loaded) error    { return l.desk().HoldSession(l, s.ID, true) }
func (s sessionsRelease) Run(l loaded) error { return l.desk().HoldSession(l, s.ID, false) }
func (s sessionsExport) Run(l loaded) error  { return l.desk().ExportPerson(l, s.Address) }
func (s sessionsErase) Run(l loaded) error   { return l.desk().ErasePerson(l, s.Address) }

type (
	audit struct {
		Limit int  `default:"50" help:"How many."`
		JSON  bool `name:"json" help:"Print JSON."`
	}
	limitsList struct {
		Limit int  `default:"50" help:"How many."`
		JSON  bool `name:"json" help:"Print JSON."`
	}
	limitsLift struct {
		Name []string `arg:"" help:"The limit as it stands in the list, as sessions alice@example.org."`
	}
)

func (a audit) Run(l loaded) error      { return l.desk().ListAudit(l, a.Limit, a.JSON) }
func (u limitsList) Run(l loaded) error { return l.desk().ListLimits(l, u.Limit, u.JSON) }
func (u limitsLift) Run(l loaded) error { return l.desk().LiftLimit(l, strings.Join(u.Name, " ")) }
