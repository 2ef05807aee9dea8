package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"mailroom/appservice"
	"mailroom/config"
	"mailroom/store"
)

// Load reads the configuration.
type Load func() (config.Config, error)

// RunServe runs a node until ctx ends.
func RunServe(ctx context.Context, load Load, o Options, log *slog.Logger) error {
	c, err := load()
	if err != nil {
		return err
	}
	a, err := New(ctx, c, o, log)
	if err != nil {
		return err
	}
	defer a.Close()
	return a.Run(ctx)
}

// RunConfigInit writes the sample configuration to a file that is not there yet.
func RunConfigInit(file string, out io.Writer) error {
	if err := writeNew(file, config.Sample, 0o600); err != nil {
		return fmt.Errorf("%w. Give another name with -c, or move it away first", err)
	}
	_, err := fmt.Fprintf(out, "%s is written. Change it to suit you, and then run: mailroom check -c %s\n", file, file)
	return err
}

// RunRegistration writes the registration file for the homeserver; an earlier
// one stays as it is, since the homeserver knows its tokens.
func RunRegistration(load Load, out io.Writer) error {
	c, err := load()
	if err != nil {
		return err
	}
	if !c.HasMatrix() {
		return errors.New("matrix.homeserver is empty: there is nothing to register")
	}
	text, err := appservice.NewRegistration(appservice.Config(c.Matrix), "").YAML()
	if err != nil {
		return err
	}
	file := c.Matrix.Registration
	if err := writeNew(file, text, 0o640); err != nil {
		return fmt.Errorf("%w, and the homeserver may know its tokens. Remove it first if you want new ones", err)
	}
	_, err = fmt.Fprintf(out, "%s is written. Name it in the homeserver's configuration (Synapse: app_service_config_files,\n"+
		"Dendrite: app_service_api.config_files), and restart the homeserver. It has secrets in it: let only Mailroom\n"+
		"and the homeserver read it (chgrp).\n", file)
	return err
}

func writeNew(file, text string, mode fs.FileMode) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already", file)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// RunMigrate brings the database up to date.
func RunMigrate(ctx context.Context, load Load, log *slog.Logger, out io.Writer) (err error) {
	c, err := load()
	if err != nil {
		return err
	}
	unlock, err := store.Lock(c.Database)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := store.Open(ctx, c.Database, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	applied, err := s.Migrate(ctx)
	if err == nil {
		_, err = fmt.Fprintf(out, "The database is up to date; %d files were applied.\n", applied)
	}
	return err
}
