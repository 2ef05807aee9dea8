package xmpp

import (
	"strconv"

	"mailroom/bridge"
	"mailroom/locales"
)

// roomFeatures are what every room can do. A client takes a room for a private
// group if it is members-only and non-anonymous.
var roomFeatures = []string{
	nsMUC, "muc_membersonly", "muc_hidden", "muc_persistent", "muc_unsecured", "muc_moderated",
	nsDiscoInfo, nsDiscoItems, nsPing, nsSelfPing, nsStableID, nsStanzaID, nsOccupantID, nsModerate,
}

// hostFeatures hold no MUC: a client that looks for a place to make rooms in
// must not take us for one.
var hostFeatures = []string{nsDiscoInfo, nsDiscoItems, nsPing}

// hostInfo says what the component is: a gateway to mail (XEP-0030 §3).
func hostInfo() *element {
	return info("gateway", "smtp", "Mailroom", hostFeatures)
}

// info says what a room is, to a member (XEP-0045 §6.4).
func (r *room) info(viewer bridge.Member, p locales.Printer) *element {
	anonymity := "muc_nonanonymous"
	if r.anonymous() {
		anonymity = "muc_semianonymous"
	}
	session := r.session.Session
	query := info("conference", "text", session.Subject, append([]string{anonymity}, roomFeatures...))
	occupants, logged := 0, "1"
	for _, m := range r.session.Members {
		if shown(viewer, m) {
			occupants++
		}
	}
	if session.Options.OffRecord {
		logged = "0"
	}
	return query.with(el(nsData, "x", "type", "result").with(
		field("FORM_TYPE", nsMUC+"#roominfo").set("type", "hidden"),
		field("muc#roominfo_subject", session.Subject),
		field("muc#roominfo_occupants", strconv.Itoa(occupants)),
		field("muc#roominfo_description", r.offRecord(p)),
		field("muc#roomconfig_enablelogging", logged),
	))
}

func info(category, kind, name string, features []string) *element {
	query := el(nsDiscoInfo, "query").with(el(nsDiscoInfo, "identity", "category", category, "type", kind, "name", name))
	for _, feature := range features {
		query.with(el(nsDiscoInfo, "feature", "var", feature))
	}
	return query
}

func field(name, value string) *element {
	return el(nsData, "field", "var", name).with(el(nsData, "value").saying(value))
}
