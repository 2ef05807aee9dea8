package webui

import (
	"strings"

	"mailroom/bridge"
	"mailroom/locales"
)

// mark is what a User-Agent says of a program. They all name each other, so that the first one in a list counts.
type mark struct{ has, name string }

var browserMarks = []mark{
	{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Opera", "Opera"}, {"Vivaldi/", "Vivaldi"}, {"SamsungBrowser/", "Samsung Internet"},
	{"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
}

var systemMarks = []mark{
	{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
	{"Macintosh", "macOS"}, {"Linux", "Linux"},
}

func named(marks []mark, agent string) string {
	for _, m := range marks {
		if strings.Contains(agent, m.has) {
			return m.name
		}
	}
	return ""
}

// label is what its owner may know a browser by, as "Firefox on Windows": what it says it is, in words of ours, so that a
// mail shows nothing that somebody else has written.
func label(p locales.Printer, agent string) string {
	browser, system := named(browserMarks, agent), named(systemMarks, agent)
	switch {
	case browser == "" && system == "":
		return p.T("page.browser_unknown")
	case system == "":
		return browser
	case browser == "":
		return system
	}
	return cut(p.T("page.browser_on", "Browser", browser, "System", system), bridge.MaxLabel)
}

// cut shortens a text to at most n bytes of whole characters.
func cut(text string, n int) string {
	if len(text) > n {
		text = strings.ToValidUTF8(text[:n], "")
	}
	return text
}
