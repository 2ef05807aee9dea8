package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// section is one part of the report: what was measured and how, and its tables.
type section struct {
	title  string
	intro  string
	tables []table
}

// table is one Markdown table with a line about each column that needs one.
type table struct {
	caption string
	columns []string
	rows    [][]string
	notes   []string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (s section) write(w io.Writer) {
	fmt.Fprintf(w, "\n## %s\n\n%s\n", s.title, strings.TrimSpace(s.intro))
	for _, t := range s.tables {
		t.write(w)
	}
}

func (t table) write(w io.Writer) {
	if t.caption != "" {
		fmt.Fprintf(w, "\n### %s\n", t.caption)
	}
	fmt.Fprintf(w, "\n| %s |\n|%s\n", strings.Join(t.columns, " | "), strings.Repeat(" --- |", len(t.columns)))
	for _, row := range t.rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
	if len(t.notes) > 0 {
		fmt.Fprintln(w)
	}
	for _, note := range t.notes {
		fmt.Fprintf(w, "- %s\n", note)
	}
}

// median is the middle of the values, or the lower one of the two in the middle.
func median[T cmp.Ordered](values []T) T { return quantile(values, 0.5) }

// quantile is the value that a part q of all values does not exceed; zero of none.
func quantile[T cmp.Ordered](values []T, q float64) T {
	var zero T
	if len(values) == 0 {
		return zero
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1))]
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// perSecond writes a rate.
func perSecond(rate float64) string {
	if rate < 100 {
		return fmt.Sprintf("%.1f", rate)
	}
	return thousands(int64(rate + 0.5))
}

func thousands(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

func percent(part, whole float64) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*part/whole)
}
