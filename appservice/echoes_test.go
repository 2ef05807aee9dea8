package appservice

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"maunium.net/go/mautrix/id"
)

// again puts a message of the room into it once more, as a homeserver does that was stopped while it took it, and returns the
// event that it pushes.
func (s *stage) again(t *testing.T, which int) string {
	t.Helper()
	room, fake := s.room(t)
	twin := fake.messages[which]
	twin.ID = "$zzz" + twin.ID
	fake.messages = append(fake.messages, twin)
	return contentEvent(twin.ID, room, twin.Sender, twin.Content)
}

func TestMessageThatTheHomeserverBringsTwiceIsDeleted(t *testing.T) {
	s := newStage(t)
	s.says("once")
	require.NoError(t, s.deliver(t))
	require.Equal(t, http.StatusOK, s.push(t, s.again(t, 0)))
	require.Equal(t, []string{"once"}, s.said())
}

func TestRepeatedEchoDeletesNothing(t *testing.T) {
	s := newStage(t)
	s.says("once")
	require.NoError(t, s.deliver(t))
	room, fake := s.room(t)
	echo := contentEvent(fake.messages[0].ID, room, fake.messages[0].Sender, fake.messages[0].Content)
	require.Equal(t, http.StatusOK, s.push(t, echo, echo))
	require.Equal(t, []string{"once"}, s.said())
}

func TestDeletedTwinOfAnEarlierLifeIsNotTakenForTheFirst(t *testing.T) {
	s := newStage(t)
	s.says("once")
	require.NoError(t, s.deliver(t))
	twin := s.again(t, 0)
	require.Equal(t, http.StatusOK, s.push(t, twin))
	s.gateway = s.anotherGateway(t)
	require.Equal(t, http.StatusOK, s.push(t, twin), "repeated after a crash")
	s.says("more")
	require.NoError(t, s.deliver(t))
	require.Equal(t, []string{"once", "more"}, s.said())
}

func TestEchoesForgetTheOldest(t *testing.T) {
	var e echoes
	for i := range 5 * echoGeneration {
		e.isSecond(marker(fmt.Sprint(i)), id.EventID(fmt.Sprint(i)))
	}
	require.LessOrEqual(t, len(e.young)+len(e.old), 2*echoGeneration)
	require.True(t, e.isSecond(marker(fmt.Sprint(5*echoGeneration-1)), "$other"))
}
