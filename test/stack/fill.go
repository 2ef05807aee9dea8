package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"text/template"
)

// fill executes a template. Its functions quote: json for JSON and YAML, lua for
// Lua.
func fill(source string, value any) (string, error) {
	quote := func(value any) (string, error) {
		text, err := json.Marshal(value)
		return string(text), err
	}
	parsed, err := template.New("").Funcs(template.FuncMap{"json": quote, "lua": luaString}).Parse(source)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, value); err != nil {
		return "", err
	}
	return text.String(), nil
}

// luaString quotes a text as a Lua string (Lua 5.4 manual §3.1).
func luaString(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\x00", `\0`).Replace(text) + `"`
}
