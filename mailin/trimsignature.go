package mailin

import (
	"regexp"
	"strings"
)

var (
	signatureLine = regexp.MustCompile(`^--[ \t]?$|^— ?$`)
	// sentWith begins a line that advertises the program, in the words of many.
	sentWith = regexp.MustCompile(`(?i)^\s*[<(\[*_]*(sent (from|with|via) |get outlook for |gesendet (von|mit|aus) |von meinem .*gesendet|diese nachricht wurde von meinem |envoyé (avec|de|depuis|à partir) |enviado (desde|con|com|a partir) |enviado (do|de) meu |inviato (da|con) |verstuurd (vanaf|met) |verzonden (vanaf|met) |skickat från |sendt fra |lähetetty |wysłane z |отправлено (с|из) |odesláno z |iphone\S*から送信|发自我的|보낸 사람: iphone|나의 iphone에서 보냄)`)
	// programs are those that do so, and the devices that they run on.
	programs = regexp.MustCompile(`(?i)\b(iphone|ipad|ipod|apple watch|android|samsung|galaxy|pixel \d|huawei|xiaomi|redmi|oneplus|nokia|motorola|xperia|blackberry|nexus|windows phone|windows mail|mail (app )?(for|für|pour|para|per|voor) windows|outlook|proton ?(mail)?|yahoo|gmail|gmx|web\.de|t-online|icloud|aol|yandex|mail\.ru|zoho|tuta(nota)?|thunderbird|airmail|spark|canary|k-9|fairemail|mailspring|superhuman|em client|mail[- ]app|my (mobile|cell|phone|smartphone|tablet|mac(book)?))\b`)
)

// advertises says if a line only names the program or the device. What was "sent
// with DHL" does not.
func advertises(line string) bool {
	return len(line) < maxAdvertisement && sentWith.MatchString(line) && programs.MatchString(line)
}

// maxAdvertisement is how long a line that advertises a program is at most, in bytes.
const maxAdvertisement = 100

// maxSignature is how many lines a signature has at most.
const maxSignature = 15

// dropSignature drops what follows the signature line "-- " (RFC 3676 §4.3), and
// a last line that only advertises the program. Names and greetings stay.
func (t *trimmer) dropSignature() {
	end := len(t.lines)
	for end > 0 && t.blank(end-1) {
		end--
	}
	for i := end - 1; i >= 0 && i >= end-maxSignature; i-- {
		if !t.gone[i] && isQuoted(t.lines[i]) {
			return
		}
		if t.gone[i] || !signatureLine.MatchString(t.lines[i]) {
			continue
		}
		if t.lines[i] == "-- " || i > 0 && t.blank(i-1) && t.likeCard(i+1, end) {
			t.drop(i, end)
			return
		}
	}
	if end > 0 && advertises(t.lines[end-1]) && t.anyText(0, end-1) {
		t.gone[end-1] = true
	}
}

// A signature below dashes without the space is as short as a visiting card: at
// most so many lines, of so many bytes each.
const (
	maxCard     = 4
	maxCardLine = 60
)

// likeCard says if lines may be the end of a mail below dashes: people also part
// what they say by a line of them, but then there are sentences below.
func (t *trimmer) likeCard(start, end int) bool {
	lines := 0
	for i := start; i < end; i++ {
		if t.blank(i) {
			continue
		}
		line := strings.TrimSpace(t.lines[i])
		if lines++; lines > maxCard || len(line) > maxCardLine || strings.ContainsAny(line[len(line)-1:], ".!?:") || strings.HasSuffix(line, "。") {
			return false
		}
	}
	return lines > 0
}
