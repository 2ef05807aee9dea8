package webui

import (
	"crypto/rand"
	"net/http"
)

// policy is the Content-Security-Policy of everything that runs no script: nothing may load but our own sheet and pictures.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// secured sets the headers that every answer has. Referrer-Policy is same-origin and not no-referrer: with that one a form
// without script posts "Origin: null" on plain HTTP, which looks like another site's.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Robots-Tag", "noindex")
		next.ServeHTTP(w, r)
	})
}

// allowScript lets one page run the scripts that carry the nonce which it returns, and what they import.
func allowScript(w http.ResponseWriter) (nonce string) {
	nonce = rand.Text()
	w.Header().Set("Content-Security-Policy", policy+"; script-src 'nonce-"+nonce+"' 'strict-dynamic'; connect-src 'self'")
	return nonce
}
