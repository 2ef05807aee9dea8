package mailin

import (
	"regexp"
	"strings"

	"mailroom/content"
)

// deliveryReport is what became of a mail of ours, as its receiver's server tells.
type deliveryReport struct {
	Recipient  string // as the report writes it; "" if it does not say
	Action     string // failed, delayed, delivered, relayed or expanded (RFC 3464 §2.3.3)
	Status     string // as 5.1.1 (RFC 3463); "" if it does not say
	Diagnostic string // the words of the server that refused
}

// parseReport finds a delivery report in a mail. Of real ones only half are
// proper (RFC 3464, RFC 6522); the others are recognized by their words, if it is
// clear that a machine wrote them.
func parseReport(parts []part, env envelope, h header) (deliveryReport, bool) {
	for _, p := range parts {
		if strings.HasPrefix(p.Type, "message/") && strings.HasSuffix(p.Type, "delivery-status") { // also global-delivery-status, RFC 6533
			if r, ok := parseStatus(p.Text); ok {
				return r, true
			}
		}
	}
	if !reportsFailure(env, h) {
		return deliveryReport{}, false
	}
	for _, p := range parts {
		if strings.HasPrefix(p.Type, "text/") {
			if r, ok := parseWords(p.Text); ok {
				return r, true
			}
		}
	}
	return deliveryReport{}, false
}

// parseStatus reads the groups of fields of a delivery status. The group of the
// gravest action counts, if there are several.
func parseStatus(text string) (best deliveryReport, ok bool) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	for _, group := range strings.Split(text, "\n\n") {
		r, found := parseStatusGroup(group)
		if found && (!ok || gravity[r.Action] > gravity[best.Action]) {
			best, ok = r, true
		}
	}
	return best, ok
}

var gravity = map[string]int{"failed": 2, "delayed": 1}

func parseStatusGroup(group string) (deliveryReport, bool) {
	var r deliveryReport
	for _, line := range strings.Split(strings.ReplaceAll(strings.ReplaceAll(group, "\n ", " "), "\n\t", " "), "\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "final-recipient", "original-recipient":
			r.Recipient = content.OneLine(afterType(value), 254)
		case "action":
			r.Action, _, _ = strings.Cut(strings.ToLower(value), " ")
		case "status":
			r.Status = statusCode.FindString(value)
		case "diagnostic-code":
			r.Diagnostic = content.OneLine(afterType(value), maxDiagnostic)
		}
	}
	if r.Status == "" {
		r.Status = statusCode.FindString(r.Diagnostic)
	}
	if r.Action == "" && r.Status != "" {
		r.Action = actionOf(r.Status)
	}
	r.Action = content.OneLine(r.Action, 20)
	return r, r.Action != ""
}

// afterType leaves out the type of "rfc822; bob@example.org".
func afterType(value string) string {
	if _, after, found := strings.Cut(value, ";"); found {
		return strings.TrimSpace(after)
	}
	return value
}

func actionOf(status string) string {
	switch status[0] {
	case '5':
		return "failed"
	case '4':
		return "delayed"
	}
	return "delivered"
}

// maxDiagnostic is how much of a server's words is kept, in runes.
const maxDiagnostic = 300

var (
	statusCode = regexp.MustCompile(`\b[245]\.\d{1,3}\.\d{1,3}\b`)
	replyLine  = regexp.MustCompile(`\b([45]\d\d)[ -](#?([45]\.\d{1,3}\.\d{1,3})[ :-]*)?[^\r\n]{3,}`)
)

// failureSubject holds the subjects under which machines report failures.
var failureSubject = regexp.MustCompile(`(?i)undeliver|delivery (status|fail|has failed|incomplete|problem)|mail (delivery|system error)|returned (mail|to sender)|failure notice|not delivered|could not be delivered|unzustellbar|nicht zugestellt|échec|non remis|no entregado|devuelto|mancat[oa] (recapito|consegna)|não entregue|niet bezorgd|недостав|配信不能|退信|反송`)

// reportsFailure says if a mail claims to be a report by a machine.
func reportsFailure(env envelope, h header) bool {
	if h.has("X-Failed-Recipients") {
		return true
	}
	_, robotic := robotName(env, h)
	return (robotic != "" || env.From == "") && failureSubject.MatchString(decodeWords(h.get("Subject")))
}

// maxWords is how much of a report's text is searched, in bytes.
const maxWords = 64 << 10

// parseWords finds the code and the words of a refusal in the text of a report.
func parseWords(text string) (deliveryReport, bool) {
	if len(text) > maxWords {
		text = text[:maxWords]
	}
	line := replyLine.FindStringSubmatch(text)
	status := statusCode.FindString(text)
	if line == nil && status == "" {
		return deliveryReport{}, false
	}
	r := deliveryReport{Status: status}
	if line != nil {
		r.Diagnostic = content.OneLine(line[0], maxDiagnostic)
		if line[3] != "" {
			r.Status = line[3]
		}
		if r.Status == "" {
			r.Status = line[1][:1] + ".0.0"
		}
	}
	r.Action = actionOf(r.Status)
	return r, true
}

// reasons are what a status says to people (RFC 3463 §3), by the beginning of it.
var reasons = []struct{ status, sentence string }{
	{"5.1.", "there is no such mailbox. Please look at how the address is written."},
	{"5.2.1", "the mailbox is closed."},
	{"5.2.2", "the mailbox is full."},
	{"5.4.", "the mail server of that address cannot be reached."},
	{"5.7.", "the mail server of that address does not take mail from us."},
}

// reason is what people in the session read. The words of the other server are
// for the log: they may name addresses that not everybody was shown.
func (r deliveryReport) reason() string {
	for _, known := range reasons {
		if strings.HasPrefix(r.Status, known.status) {
			return known.sentence
		}
	}
	return "the mail server of that address refused it."
}
