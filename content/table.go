package content

import "golang.org/x/net/html/atom"

// Tables, where browsers are strict about what stands in what: table > caption, thead and tbody > tr > th and td.

// inTable tells that n is a part of a table in which neither text nor other elements may stand.
func inTable(n *node) bool {
	return n.kind == tableKind || n.kind == tableSection || n.kind == tableRow
}

// openCell opens what is missing for something that stands in a table but in no cell. (Browsers move it before the
// table, which would take it out of its place in the text.)
func (b *builder) openCell() {
	if b.top().kind == tableKind {
		b.open(atom.Tbody, nil)
	}
	if b.top().kind == tableSection {
		b.open(atom.Tr, nil)
	}
	b.open(atom.Td, nil)
}

// placeInTable opens a section, row, cell or caption in the innermost open table; outside of tables it means nothing.
func (b *builder) placeInTable(tag atom.Atom, kind kind) {
	table := b.innermostTable()
	if table == 0 {
		return
	}
	switch {
	case kind == tableSection, tag == atom.Caption:
		b.closeTo(table + 1)
	case kind == tableRow:
		b.closeToSection(table)
	default:
		b.closeToRow(table)
	}
	b.open(tag, nil)
}

// innermostTable returns where the innermost open table is in the stack, or 0.
func (b *builder) innermostTable() int {
	for i := len(b.stack) - 1; i > 0; i-- {
		if b.stack[i].kind == tableKind {
			return i
		}
	}
	return 0
}

// closeToSection leaves the table's open section on top, opening one if there is none.
func (b *builder) closeToSection(table int) {
	if len(b.stack) > table+1 && b.stack[table+1].kind == tableSection {
		b.closeTo(table + 2)
		return
	}
	b.closeTo(table + 1)
	b.open(atom.Tbody, nil)
}

// closeToRow leaves the table's open row on top, opening one if there is none.
func (b *builder) closeToRow(table int) {
	if len(b.stack) > table+2 && b.stack[table+2].kind == tableRow {
		b.closeTo(table + 3)
		return
	}
	b.closeToSection(table)
	b.open(atom.Tr, nil)
}

// endInTable closes a table or a part of the innermost one.
func (b *builder) endInTable(tag atom.Atom) {
	table := b.innermostTable()
	if table == 0 {
		return
	}
	for i := len(b.stack) - 1; i >= table; i-- {
		if b.stack[i].tag == tag {
			b.closeTo(i)
			return
		}
	}
}
