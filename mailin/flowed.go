package mailin

import "strings"

// flowed undoes format=flowed (RFC 3676): lines that end in a space go on in the
// next line of the same quote depth. Text of another format gets only its line
// ends made "\n".
func flowed(text, format, delsp string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if format != "flowed" {
		return text
	}
	var out strings.Builder
	open, openDepth := false, 0 // the last line flows on
	for i, line := range strings.Split(text, "\n") {
		depth, rest := quoteDepth(line)
		rest = strings.TrimPrefix(rest, " ") // space-stuffing, §4.4
		if !open || depth != openDepth {
			if i > 0 {
				out.WriteByte('\n')
			}
			if depth > 0 {
				out.WriteString(strings.Repeat(">", depth) + " ")
			}
		}
		open = strings.HasSuffix(rest, " ") && rest != "-- " // §4.3: the signature line never flows
		openDepth = depth
		if open && delsp == "yes" {
			rest = rest[:len(rest)-1]
		}
		out.WriteString(rest)
	}
	return out.String()
}

// quoteDepth counts the quote marks at the beginning of a line. In format=flowed
// no spaces stand between them (§4.5).
func quoteDepth(line string) (depth int, rest string) {
	rest = strings.TrimLeft(line, ">")
	return len(line) - len(rest), rest
}
