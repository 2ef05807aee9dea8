package mailout

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"mailroom/bridge"

	"github.com/emersion/go-smtp"
)

// step is a command of the mail transaction.
type step string

const (
	stepMail step = "MAIL"
	stepRcpt step = "RCPT"
	stepData step = "DATA"
	stepDot  step = "final dot"
)

// stepError is what went wrong at which step.
type stepError struct {
	step step
	err  error
}

func (e *stepError) Error() string { return string(e.step) + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// deliver speaks one mail transaction. The mail is sent if, and only if, the server answers the final dot with 250.
// reusable says that the connection can carry another mail.
func deliver(client *smtp.Client, mail Mail) (reusable bool, err error) {
	err = transaction(client, mail)
	var answer *smtp.SMTPError
	switch {
	case err == nil:
		return true, nil
	case !errors.As(err, &answer), answer.Code == 421: // it closes the connection (RFC 5321 §3.8)
		return false, outcome(err)
	}
	return client.Reset() == nil, outcome(err)
}

func transaction(client *smtp.Client, mail Mail) error {
	options := smtp.MailOptions{Size: int64(len(mail.Raw))}
	if !isASCII(mail.To) {
		if ok, _ := client.Extension("SMTPUTF8"); !ok {
			return &bridge.RefusedError{
				Reason: "the mail server here cannot write to addresses with such letters. Invite them by another address.",
				Err:    errors.New("the smarthost has no SMTPUTF8 (RFC 6531)"),
			}
		}
		options.UTF8 = true
	}
	if err := client.Mail(mail.From, &options); err != nil {
		return &stepError{stepMail, err}
	}
	if err := client.Rcpt(mail.To, nil); err != nil {
		return &stepError{stepRcpt, err}
	}
	data, err := client.Data()
	if err != nil {
		return &stepError{stepData, err}
	}
	if _, err := data.Write(mail.Raw); err != nil {
		return &stepError{stepData, err} // without the final dot: the server throws it away
	}
	if err := data.Close(); err != nil {
		return &stepError{stepDot, err}
	}
	return nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' })
}

// isStale tells that a connection from the pool was closed before it took anything.
func isStale(err error) bool {
	var at *stepError
	var answer *smtp.SMTPError
	if !errors.As(err, &at) || at.step != stepMail {
		return false
	}
	return !errors.As(err, &answer) || answer.Code == 421
}

// connectError is why there is no connection. Whatever the server said, even 5xx, is about us and not about the mail:
// it is for the admin to mend, and the mail waits.
func connectError(err error) error { return fmt.Errorf("connect to the smarthost: %w", err) }

// errRefusesUs is when the smarthost's answer is about us and not about this mail: every other one would get it, too. It is
// for the admin to mend, and the mails wait.
var errRefusesUs = errors.New("the smarthost takes no mail from here")

// outcome tells what is refused for good from what is worth another try.
func outcome(err error) error {
	var at *stepError
	var answer *smtp.SMTPError
	if !errors.As(err, &at) || !errors.As(err, &answer) || answer.Code < 500 {
		return err
	}
	if aboutUs(at.step, answer) {
		return fmt.Errorf("%w: %w", errRefusesUs, err)
	}
	return &bridge.RefusedError{Reason: reason(answer), Err: err}
}

// aboutUs tells that a refusal before the final dot says nothing about the mail: who must log in (RFC 4954 §6), whose sender
// is not welcome (at MAIL only the size is the mail's own), or who may not relay here (RFC 3463: X.7, security or policy) is
// us. Such a mail is given up only when its time is over.
func aboutUs(at step, answer *smtp.SMTPError) bool {
	switch {
	case at == stepDot:
		return false
	case at == stepMail:
		return !tooBig(answer)
	case answer.Code == 530, answer.Code == 534, answer.Code == 535, answer.Code == 538:
		return true
	}
	// Some servers, as Exim, send no enhanced code: "550 relay not permitted".
	return answer.EnhancedCode[0] == 5 && answer.EnhancedCode[1] == 7 || strings.Contains(strings.ToLower(answer.Message), "relay")
}

func tooBig(answer *smtp.SMTPError) bool {
	enhanced := answer.EnhancedCode
	return answer.Code == 552 || enhanced[0] == 5 && enhanced[1] == 3 && enhanced[2] == 4
}

// reason says in a sentence why a mail was refused and what to do next, by the enhanced status code (RFC 3463) and,
// for servers that send none, by the code.
func reason(answer *smtp.SMTPError) string {
	enhanced := answer.EnhancedCode
	switch {
	case enhanced[0] == 5 && enhanced[1] == 7:
		return "the mail server there does not take mail from here. Ask them for another address, or tell your admin."
	case enhanced[0] == 5 && enhanced[1] == 2 && enhanced[2] == 2:
		return "their mailbox is full. Invite them again later, or by another address."
	case tooBig(answer):
		return "the mail server there finds the mail too big. They can read everything on the page."
	case enhanced[0] == 5 && (enhanced[1] == 1 || enhanced[1] == 2), answer.Code == 550, answer.Code == 551, answer.Code == 553:
		return "there is no such address. Check how it is written, and invite them again."
	}
	return "the mail server there refused it. Try another address, or tell your admin."
}

// withoutSecrets takes the tokens and the code of a letter out of an error, in which servers like to quote what they were
// told: whoever reads the log could answer, or come in, in the recipient's name.
func withoutSecrets(err error, l bridge.Letter) error {
	var refused *bridge.RefusedError
	if errors.As(err, &refused) {
		return &bridge.RefusedError{Reason: refused.Reason, Err: errors.New(cleared(refused.Err.Error(), l))}
	}
	return errors.New(cleared(err.Error(), l))
}

func cleared(text string, l bridge.Letter) string {
	t := l.Tokens
	for _, secret := range []string{t.Join, t.Reply, t.Unsubscribe, t.Bounce, t.Icon, t.Confirm, t.Browsers, t.SignIn, l.Code} {
		if secret != "" {
			// Secrets are letters and digits, and some servers write addresses in capitals.
			text = regexp.MustCompile("(?i)"+regexp.QuoteMeta(secret)).ReplaceAllString(text, "[secret]")
		}
	}
	return text
}
