package main

import (
	_ "embed"
	"io"
	"os/exec"
)

var (
	//go:embed steps.txt.tmpl
	stepsTemplate string
	//go:embed first_mail.curl.tmpl
	curlTemplate string
	//go:embed first_mail.python.tmpl
	pythonTemplate string
)

// explain prints what a person does next.
func (t *trial) explain(output io.Writer) error {
	firstMail, err := t.firstMail()
	if err != nil {
		return err
	}
	text, err := fill(stepsTemplate, struct {
		*trial
		FirstMail string
	}{t, firstMail})
	if err != nil {
		return err
	}
	_, err = io.WriteString(output, text)
	return err
}

// firstMail is a command for the shell. Each mail that it sends has a
// Message-ID of its own, because the same mail again is the same session.
func (t *trial) firstMail() (string, error) {
	source := curlTemplate
	if _, err := exec.LookPath("curl"); err != nil {
		source = pythonTemplate
	}
	return fill(source, t)
}
