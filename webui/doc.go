// Package webui is the gateway for people with a browser, and the HTTP API.
//
// A page is whole without any script: forms that POST and answer 303, links that read again. static/session.js makes the
// same page live: it follows the session's log as server-sent events and posts with fetch. There is one renderer of
// markup: templates/entries.html, which the server fills for the page and the script clones for what comes later.
//
// The browser is a reader of the log like any other. Its position is the seq of the last record that it was shown: the id
// of the last event, ?after= of a stream or a poll, and data-after in the page.
//
// What is unknown and what is forbidden get the same answer: see pages.go.
package webui
