package bridge

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// actOrder is the order of the acts in the document.
var actOrder = []Act{
	ActLook, ActRead, ActJoin, ActWrite, ActSignal, ActLeave, ActDecline, ActStop, ActReport, ActSubject, ActOptions,
	ActInvite, ActRevoke, ActRemove, ActClose, ActReopen, ActHold, ActErase,
}

// gateTable is the gate's table as people read it.
func gateTable() string {
	var b strings.Builder
	b.WriteString("| to | initiator | member | recipient | whose grant ran out | revoked | stranger | admin | open | closed | expired | over |\n")
	b.WriteString("| --- |" + strings.Repeat(" --- |", int(standings)+int(conditions)) + "\n")
	for _, act := range actOrder {
		fmt.Fprintf(&b, "| %s |", act)
		for _, a := range rules[act].who {
			fmt.Fprintf(&b, " %s |", map[answer]string{no: "no", yes: "yes", opt: "by option"}[a])
		}
		for _, in := range rules[act].in {
			fmt.Fprintf(&b, " %s |", map[bool]string{false: "no", true: "yes"}[in])
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestTheDocumentHasTheTableOfTheGate(t *testing.T) {
	require.ElementsMatch(t, slices.Collect(maps.Keys(rules)), actOrder)
	const file = "../docs/privacy.md"
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "<!-- gate -->\n")
	require.True(t, found, file)
	block, _, found := strings.Cut(rest, "<!-- /gate -->")
	require.True(t, found, file)
	require.Equal(t, gateTable(), block, "Put this between the marks in %s:\n%s", file, gateTable())
}

// What holds for every row, whatever is added to the table.
func TestTheGateNeverAnswersWhoHasNoGrant(t *testing.T) {
	for act, r := range rules {
		require.Equal(t, no, r.who[AsStranger], act)
		require.Equal(t, no, r.who[AsRevoked], act)
		require.Equal(t, r.who[AsRecipient] == yes, r.who[AsMember] == yes, "%s: an answer opens no more than an invitation, but by option", act)
		if r.who[AsLapsed] == yes {
			require.Equal(t, yes, r.who[AsRecipient], act)
		}
		if r.who[AsMember] == yes && act != ActDecline {
			require.Equal(t, yes, r.who[AsInitiator], act)
		}
	}
}

func TestEveryCellOfTheGate(t *testing.T) {
	now := time.Now()
	for act, r := range rules {
		for standing := range standings {
			for condition := range conditions {
				for _, invite := range []bool{false, true} {
					room, by := roomIn(standing, condition, invite, now)
					_, err := gate(room, by, act, now)
					want := cmp.Or(wantedOf(r, standing, invite), wantedIn(r, condition))
					require.Equal(t, want, CodeOf(err), "%s as %d in %d", act, standing, condition)
				}
			}
		}
	}
}

func wantedOf(r rule, standing Standing, invite bool) Code {
	switch {
	case r.who[standing] == yes || r.who[standing] == opt && invite:
		return ""
	case standing == AsStranger || standing == AsRevoked || standing == AsAdmin:
		return NotFound
	case standing == AsLapsed:
		return Closed
	}
	return Forbidden
}

func wantedIn(r rule, condition Condition) Code {
	if r.in[condition] {
		return ""
	}
	return Closed
}

// roomIn is a room in a condition, and somebody who stands so in it.
func roomIn(standing Standing, condition Condition, invite bool, now time.Time) (*Room, Identity) {
	alice := Member{ID: uuid.New(), Role: Initiator, State: Joined, Grant: Grant{ID: uuid.New()}}
	bob := Member{ID: uuid.New(), Role: Participant, State: Invited, Grant: Grant{ID: uuid.New()}}
	room := &Room{Session: Session{State: Open, Options: Options{MembersInvite: invite}}}
	by := Identity{Grant: bob.Grant.ID}
	switch standing {
	case AsInitiator:
		by.Grant = alice.Grant.ID
	case AsMember:
		bob.State = Joined
	case AsLapsed:
		bob.Grant.ExpiresAt = now
	case AsRevoked:
		bob.Grant.Revoked = true
	case AsStranger:
		by.Grant = uuid.New()
	case AsAdmin:
		by = Identity{Admin: true}
	}
	switch condition {
	case IsClosed:
		room.Session.State = Ended
	case IsExpired:
		room.Session.Options.ExpiresAt = now
	case IsOver:
		room.Session.State = Over
	}
	room.Members = []Member{alice, bob}
	return room, by
}
