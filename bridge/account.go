package bridge

import (
	"context"
	"crypto/subtle"
	"time"

	"github.com/google/uuid"
)

// NewAccount gives an address an app password for mail submission and returns
// it; an earlier one ends. It is random, so its SHA-256 is enough at rest.
func (s *Service) NewAccount(ctx context.Context, a Address) (password string, err error) {
	password = secret()
	err = s.store.Write(ctx, uuid.Nil, func(tx Tx) error {
		if err := tx.SetAccount(ctx, a, tokenHash(password), s.now()); err != nil {
			return err
		}
		return s.auditOperator(ctx, tx, "account", a.String())
	})
	return password, err
}

// CheckAccount says if the address has this app password.
func (s *Service) CheckAccount(ctx context.Context, address, password string) (bool, error) {
	asked := time.Now()
	hash, ok, err := s.store.GetAccount(ctx, EmailAddress(address))
	if err != nil {
		return false, err
	}
	// Neither the comparison nor its time may tell whether the account exists.
	same := subtle.ConstantTimeCompare([]byte(hash), []byte(tokenHash(password))) == 1
	if !ok || !same {
		pause(ctx, asked)
		return false, nil
	}
	return true, nil
}

// NewAPIToken makes a bearer token that acts as an address.
func (s *Service) NewAPIToken(ctx context.Context, a Address, admin bool) (token string, err error) {
	token = secret()
	err = s.store.Write(ctx, uuid.Nil, func(tx Tx) error {
		if err := tx.AddAPIToken(ctx, tokenHash(token), a, admin, s.now()); err != nil {
			return err
		}
		about := a.String()
		if admin {
			about += " as admin"
		}
		return s.auditOperator(ctx, tx, "token", about)
	})
	return token, err
}

// APIIdentity is who a bearer token acts as. Errors: NotFound.
func (s *Service) APIIdentity(ctx context.Context, bearer string) (Identity, error) {
	a, admin, ok, err := s.store.GetAPIToken(ctx, tokenHash(bearer))
	if err != nil {
		return Identity{}, err
	}
	if !ok {
		return Identity{}, &Error{NotFound, "That token is not known here. Make one with: mailroom token create --as ADDRESS"}
	}
	return Identity{Via: Web, Address: a, Admin: admin}, nil
}
