package xmpp

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
)

// MaxNick is how long a nick that we make can be, in runes. Foreign nicks are
// bounded by their server: 1023 bytes (RFC 7622 §3.4).
const MaxNick = 60

// foldNick is the form in which nicks are compared: two that look alike but
// for case or compatibility forms are the same. Through upper case, since some
// letters have more than one lower one (σ and ς).
func foldNick(nick string) string {
	return strings.TrimSpace(norm.NFKC.String(strings.ToLower(strings.ToUpper(norm.NFKC.String(nick)))))
}

// safeNick makes a nick of a display name that every server lets through as
// the resource of a sender. Fallback is taken when nothing of the name is left.
func safeNick(name, fallback string) string {
	kept := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(nickRunes, r):
			return r
		}
		return -1
	}, norm.NFKC.String(name))
	nick := shorten(oneDirection(strings.Join(strings.Fields(kept), " ")))
	// Marks may compose anew when what stood between them is gone.
	if nick == "" || norm.NFKC.String(nick) != nick {
		return fallback
	}
	return nick
}

// shorten cuts to MaxNick runes and takes away what may not begin or end a
// nick: space, combining marks in front and, in one that runs from right to
// left, everything but letters of that direction (RFC 3454 §6).
func shorten(nick string) string {
	runes := []rune(nick)
	runes = runes[:min(len(runes), MaxNick)]
	rightToLeft := strings.ContainsFunc(nick, isRightToLeft)
	outer := func(r rune) bool {
		return unicode.IsSpace(r) || unicode.Is(unicode.M, r) || rightToLeft && !isRightToLeft(r)
	}
	inner := func(r rune) bool { return unicode.IsSpace(r) || rightToLeft && !isRightToLeft(r) }
	return strings.TrimRightFunc(strings.TrimLeftFunc(string(runes), outer), inner)
}

// oneDirection drops the letters of one direction from a name that has both.
// The direction of its first letter stays.
func oneDirection(name string) string {
	first := strings.IndexFunc(name, func(r rune) bool { return isRightToLeft(r) || isLeftToRight(r) })
	if first < 0 {
		return name
	}
	other := isRightToLeft
	for _, r := range name[first:] {
		if isRightToLeft(r) {
			other = isLeftToRight
		}
		break
	}
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if other(r) {
			return -1
		}
		return r
	}, name)), " ")
}

func isRightToLeft(r rune) bool {
	p, _ := bidi.LookupRune(r)
	return p.Class() == bidi.R || p.Class() == bidi.AL
}

func isLeftToRight(r rune) bool {
	p, _ := bidi.LookupRune(r)
	return p.Class() == bidi.L
}

// guestNick names a member of whose name no nick can be made.
func guestNick(member uuid.UUID) string { return "guest-" + member.String()[:4] }

// numbered is the n-th nick of the same name. A number may not end a nick that
// runs from right to left, hence there the letters of the alphabet count.
func numbered(nick string, n int) string {
	if strings.ContainsFunc(nick, isRightToLeft) {
		return nick + " " + strings.Repeat("ب", n-1)
	}
	return nick + " (" + strconv.Itoa(n) + ")"
}
