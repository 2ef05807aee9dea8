package config

import _ "embed"

// Sample is the file that `mailroom config init` writes: every key that is in
// use, with its default or an example.
//
//go:embed sample.yaml
var Sample string
