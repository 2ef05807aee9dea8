package xmpp

const (
	nsComponent   = "jabber:component:accept"                // XEP-0114
	nsStream      = "http://etherx.jabber.org/streams"       // RFC 6120 §4.8.1
	nsStreamError = "urn:ietf:params:xml:ns:xmpp-streams"    // RFC 6120 §4.9.2
	nsStanzaError = "urn:ietf:params:xml:ns:xmpp-stanzas"    // RFC 6120 §8.3.2
	nsMUC         = "http://jabber.org/protocol/muc"         // XEP-0045
	nsMUCUser     = "http://jabber.org/protocol/muc#user"    // XEP-0045
	nsMUCAdmin    = "http://jabber.org/protocol/muc#admin"   // XEP-0045
	nsMUCOwner    = "http://jabber.org/protocol/muc#owner"   // XEP-0045
	nsConference  = "jabber:x:conference"                    // XEP-0249
	nsDiscoInfo   = "http://jabber.org/protocol/disco#info"  // XEP-0030
	nsDiscoItems  = "http://jabber.org/protocol/disco#items" // XEP-0030
	nsData        = "jabber:x:data"                          // XEP-0004
	nsPing        = "urn:xmpp:ping"                          // XEP-0199
	nsSelfPing    = nsMUC + "#self-ping-optimization"        // XEP-0410
	nsStableID    = nsMUC + "#stable_id"                     // XEP-0045 §15.5.2
	nsStanzaID    = "urn:xmpp:sid:0"                         // XEP-0359
	nsOccupantID  = "urn:xmpp:occupant-id:0"                 // XEP-0421
	nsDelay       = "urn:xmpp:delay"                         // XEP-0203
	nsOMEMO       = "eu.siacs.conversations.axolotl"         // XEP-0384
	nsEncryption  = "urn:xmpp:eme:0"                         // XEP-0380
	nsHints       = "urn:xmpp:hints"                         // XEP-0334
	nsChatStates  = "http://jabber.org/protocol/chatstates"  // XEP-0085
	nsRetract     = "urn:xmpp:message-retract:1"             // XEP-0424
	nsModerate    = "urn:xmpp:message-moderate:1"            // XEP-0425
	nsXML         = "http://www.w3.org/XML/1998/namespace"   // the prefix xml
)
