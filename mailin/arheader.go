package mailin

import (
	"strings"
)

// authResults is one Authentication-Results field (RFC 8601 §2.2).
type authResults struct {
	ServerID string // as written
	Results  []authResult
}

// authResult is what one method found, as dkim=pass header.d=example.org.
type authResult struct {
	Method string            // lower case
	Value  string            // lower case
	Props  map[string]string // by "ptype.property", lower case; values as written
}

// parseAuthResults reads the value of a field, unfolded or not. It is tolerant:
// what cannot be read is left out, so it can only prove less. ok is false if the
// field names no server or another version.
func parseAuthResults(value string) (r authResults, ok bool) {
	clauses := splitOutsideQuotes(withoutComments(unfold(value)), ';')
	words := strings.Fields(clauses[0])
	if len(words) == 0 || len(words) > 1 && words[1] != "1" {
		return r, false
	}
	r.ServerID = unquote(words[0])
	for _, clause := range clauses[1:] {
		if result, ok := parseAuthResult(clause); ok {
			r.Results = append(r.Results, result)
		}
	}
	return r, true
}

func parseAuthResult(clause string) (authResult, bool) {
	pairs := propertyPairs(clause)
	if len(pairs) == 0 {
		return authResult{}, false
	}
	method, _, _ := strings.Cut(strings.ToLower(pairs[0][0]), "/") // dkim/1=pass
	r := authResult{Method: strings.TrimSpace(method), Value: strings.ToLower(pairs[0][1]), Props: map[string]string{}}
	for _, p := range pairs[1:] {
		name := strings.ToLower(p[0])
		if _, twice := r.Props[name]; !twice {
			r.Props[name] = p[1]
		}
	}
	return r, r.Method != "" && r.Value != ""
}

// propertyPairs splits "dkim=pass reason = "x y" header.d=a.example" into its
// pairs; spaces may stand around each equals sign.
func propertyPairs(clause string) (pairs [][2]string) {
	var words []string
	for _, w := range splitOutsideQuotes(strings.ReplaceAll(clause, "\t", " "), ' ') {
		if w != "" {
			words = append(words, w)
		}
	}
	text := strings.Join(words, " ")
	text = strings.NewReplacer(" = ", "=", " =", "=", "= ", "=").Replace(text)
	for _, w := range splitOutsideQuotes(text, ' ') {
		name, value, found := strings.Cut(w, "=")
		if found && name != "" {
			pairs = append(pairs, [2]string{name, unquote(value)})
		}
	}
	return pairs
}

// withoutComments replaces each comment (RFC 5322 §3.2.2), nested or not, by a space.
func withoutComments(s string) string {
	var b strings.Builder
	quoted, depth := false, 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		escaped := c == '\\' && i+1 < len(s) && (quoted || depth > 0)
		switch {
		case escaped && depth == 0:
			b.WriteString(s[i : i+2])
		case escaped, depth > 0 && c != '(' && c != ')':
		case c == '(' && !quoted:
			depth++
		case c == ')' && depth > 0:
			depth--
			b.WriteByte(' ')
		default:
			if c == '"' {
				quoted = !quoted
			}
			b.WriteByte(c)
		}
		if escaped {
			i++
		}
	}
	return b.String()
}

func splitOutsideQuotes(s string, separator byte) []string {
	var parts []string
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(s[1 : len(s)-1])
}

// resultsOf collects what the trusted server found. A front MTA must remove the
// fields of that name which came from outside (RFC 8601 §5); since one may have
// been left, callers believe a pass only if no other result contradicts it.
func resultsOf(h header, serverID string) []authResult {
	var results []authResult
	for _, value := range h.all("Authentication-Results") {
		if r, ok := parseAuthResults(value); ok && sameName(r.ServerID, serverID) {
			results = append(results, r.Results...)
		}
	}
	return results
}
