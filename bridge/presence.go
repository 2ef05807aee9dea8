package bridge

import (
	"context"
	"slices"

	"github.com/google/uuid"
)

// PresenceSetting says who may see a person as reachable: that they type, what
// they have read, that they are here now (SPEC F3). It is one for each person,
// and a session never reveals more.
type PresenceSetting string

const (
	SeenByNobody   PresenceSetting = "nobody" // the default
	SeenByChosen   PresenceSetting = "chosen" // people whom I name
	SeenByMailed   PresenceSetting = "mailed" // people whom I invited somewhere
	SeenByShared   PresenceSetting = "shared" // people I share a session with
	SeenByEveryone PresenceSetting = "everyone"
)

// PresenceSettings are all there are, from the closest to the most open.
var PresenceSettings = []PresenceSetting{SeenByNobody, SeenByChosen, SeenByMailed, SeenByShared, SeenByEveryone}

// MaxChosen is how many people one may choose, and block.
const MaxChosen = 500

// Watch says who may see whom in one session. The zero Watch shows nobody.
type Watch map[watched]bool

type watched struct{ viewer, target uuid.UUID }

// Show lets a member see another.
func (w Watch) Show(viewer, target uuid.UUID) { w[watched{viewer, target}] = true }

// Sees says if a member may see another as reachable. Everybody sees themselves.
func (w Watch) Sees(viewer, target uuid.UUID) bool {
	return viewer == target || w[watched{viewer, target}]
}

// Watch reads the settings of everybody in the room.
func (s *Service) Watch(ctx context.Context, room *Room) (Watch, error) {
	settings, err := s.store.ListPresences(ctx, room.Session.ID)
	if err != nil || len(settings) == 0 {
		return nil, err
	}
	w := make(Watch)
	for _, target := range room.Members {
		setting, ok := settings[target.Person]
		if !ok || target.Person == uuid.Nil || target.Gone() {
			continue
		}
		sees, err := s.watchers(ctx, target, setting)
		if err != nil {
			return nil, err
		}
		for _, viewer := range room.Members {
			if !viewer.Grant.Revoked && sees(viewer) {
				w.Show(viewer.ID, target.ID)
			}
		}
	}
	return w, nil
}

// watchers decides for one member whom their setting lets see them. Members of
// one session share it, so that shared and everyone are the same inside.
func (s *Service) watchers(ctx context.Context, target Member, setting PresenceSetting) (func(Member) bool, error) {
	switch setting {
	case SeenByShared, SeenByEveryone:
		return func(Member) bool { return true }, nil
	case SeenByChosen:
		chosen, err := s.store.ListChosen(ctx, target.Person)
		return func(viewer Member) bool { return viewer.hasAny(chosen) }, err
	case SeenByMailed:
		mailed, err := s.store.ListMailed(ctx, target.Person)
		return func(viewer Member) bool { return slices.Contains(mailed, viewer.Person) }, err
	}
	return func(Member) bool { return false }, nil
}

func (m Member) hasAny(addresses []Address) bool {
	return slices.ContainsFunc(m.Endpoints, func(e Endpoint) bool { return slices.Contains(addresses, e.Address) })
}

// ReadMarks are the last records that members have certainly seen, by member,
// for one reader: their own, and those of people whose setting shows them.
// Errors: NotFound.
func (s *Service) ReadMarks(ctx context.Context, session uuid.UUID, by Identity) (map[uuid.UUID]int64, error) {
	room, me, err := s.look(ctx, session, by, ActRead)
	if err != nil {
		return nil, err
	}
	watch, err := s.Watch(ctx, room)
	if err != nil {
		return nil, err
	}
	members, err := s.store.ListMembers(ctx, session)
	if err != nil {
		return nil, err
	}
	marks := make(map[uuid.UUID]int64)
	for _, m := range members {
		if watch.Sees(me.ID, m.ID) && room.ShowsMember(me, m) {
			marks[m.ID] = m.ReadSeq
		}
	}
	return marks, nil
}

// Presence is what a person has chosen. Errors: NotFound if nothing is proved of
// the identity.
func (s *Service) Presence(ctx context.Context, by Identity) (setting PresenceSetting, chosen []Address, err error) {
	person, ok, err := s.personOf(ctx, s.store, by)
	if err != nil || !ok {
		return SeenByNobody, nil, err
	}
	if setting, err = s.store.GetPresence(ctx, person); err != nil {
		return setting, nil, err
	}
	chosen, err = s.store.ListChosen(ctx, person)
	return setting, chosen, err
}

// SetPresence changes it, in all sessions at once. Errors: NotFound, Invalid.
func (s *Service) SetPresence(ctx context.Context, by Identity, setting PresenceSetting, chosen []Address) error {
	switch {
	case !slices.Contains(PresenceSettings, setting):
		return &Error{Invalid, "Choose who may see you: nobody, chosen, mailed, shared or everyone."}
	case len(chosen) > MaxChosen:
		return &Error{TooMany, "You can choose " + itoa(MaxChosen) + " people at the most."}
	}
	err := s.store.Write(ctx, uuid.Nil, func(tx Tx) error {
		person, err := s.ensurePerson(ctx, tx, by)
		if err != nil {
			return err
		}
		if err := tx.SetPresence(ctx, person, setting); err != nil {
			return err
		}
		return tx.SetChosen(ctx, person, chosen)
	})
	if err != nil {
		return err
	}
	return s.announceAll(ctx, by)
}

// announceAll lets every gateway look again at the sessions of a person, after
// something about the person has changed.
func (s *Service) announceAll(ctx context.Context, by Identity) error {
	sessions, err := s.sessionsOf(ctx, by)
	if err != nil {
		return err
	}
	for _, session := range sessions {
		err := s.change(ctx, session.ID, func(tx Tx, room *Room) error { return grown(ctx, tx, room) })
		if err != nil && CodeOf(err) != NotFound {
			return err
		}
	}
	return nil
}
