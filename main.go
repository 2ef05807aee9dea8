// Mailroom: an email becomes a room.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"mailroom/app"
	"mailroom/config"

	"github.com/alecthomas/kong"
)

// version is set by the Makefile.
var version = "unknown"

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

// loaded is what a command works with.
type loaded struct {
	context.Context
	file   string
	config func() (config.Config, error)
	log    *slog.Logger
}

func (l loaded) serve(o app.Options) error { return app.RunServe(l, l.config, o, l.log) }

func (serve) Run(l loaded) error        { return l.serve(app.Options{Version: version}) }
func (local) Run(l loaded) error        { return l.serve(app.Options{Version: version, Local: true}) }
func (check) Run(l loaded) error        { return app.RunCheck(l, l.config, l.log, os.Stdout) }
func (registration) Run(l loaded) error { return app.RunRegistration(l.config, os.Stdout) }
func (migrate) Run(l loaded) error      { return app.RunMigrate(l, l.config, l.log, os.Stdout) }
func (configInit) Run(l loaded) error   { return app.RunConfigInit(l.file, os.Stdout) }
func (a accountAdd) Run(l loaded) error {
	return app.RunAccountAdd(l, l.config, a.Address, l.log, os.Stdout)
}
func (t tokenCreate) Run(l loaded) error {
	return app.RunTokenCreate(l, l.config, app.TokenRequest(t), l.log, os.Stdout)
}
func (showVersion) Run() error { _, err := fmt.Println(version); return err }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	line := kong.Parse(&c, kong.Name("mailroom"), kong.Description("An email becomes a room."), kong.Exit(exit))
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel}))
	load := func() (config.Config, error) { return config.Load(c.File) }
	line.FatalIfErrorf(line.Run(loaded{ctx, c.File, load, log}))
}

// exit maps kong's code for a wrong command line to 2, as the contract says.
func exit(code int) {
	if code > 1 {
		code = 2
	}
	os.Exit(code)
}
