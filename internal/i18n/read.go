package i18n

import (
	"encoding/json"
	"fmt"
	"strings"
)

// read is the content of a catalogue. It takes what encoding/json takes of an object of
// texts and plural forms, but for texts without escapes, which are nearly all, it makes
// no copies: reading the catalogues is a part of each start.
func read(text string) (map[string]message, error) {
	r := reader{text: text}
	words := make(map[string]message, strings.Count(text, "\n"))
	err := r.object(func(key string) error {
		m, err := r.message()
		words[key] = m
		return err
	})
	if err == nil && r.next() != 0 {
		err = r.fault("something follows")
	}
	return words, err
}

// A reader is where one is in a text.
type reader struct {
	text string
	at   int
}

// next is the next byte that is no space, which stays unread; 0 is the end.
func (r *reader) next() byte {
	for ; r.at < len(r.text); r.at++ {
		if c := r.text[r.at]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c
		}
	}
	return 0
}

func (r *reader) fault(what string) error {
	return fmt.Errorf("line %d: %s", 1+strings.Count(r.text[:r.at], "\n"), what)
}

// take reads a byte that has to come next.
func (r *reader) take(c byte) error {
	if r.next() != c {
		return r.fault(string(rune(c)) + " is missing")
	}
	r.at++
	return nil
}

// message reads a text or its plural forms.
func (r *reader) message() (message, error) {
	if r.next() != '{' {
		text, err := r.string()
		return message{text: text}, err
	}
	forms := map[string]string{}
	err := r.object(func(form string) (err error) {
		forms[form], err = r.string()
		return err
	})
	return message{forms: forms}, err
}

// object reads an object and calls member behind the colon of each.
func (r *reader) object(member func(key string) error) error {
	if err := r.take('{'); err != nil {
		return err
	}
	for first := true; r.next() != '}'; first = false {
		if !first {
			if err := r.take(','); err != nil {
				return err
			}
		}
		key, err := r.string()
		if err == nil {
			err = r.take(':')
		}
		if err == nil {
			err = member(key)
		}
		if err != nil {
			return err
		}
	}
	r.at++
	return nil
}

// string reads a text.
func (r *reader) string() (string, error) {
	if err := r.take('"'); err != nil {
		return "", err
	}
	start, plain := r.at, true
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			if plain {
				return r.text[start : r.at-1], nil
			}
			return unescaped(r.text[start-1 : r.at])
		case c == '\\':
			plain = false
			r.at++
		case c < ' ':
			return "", r.fault("a text ends with its line")
		}
	}
	r.at = start
	return "", r.fault("a text has no end")
}

// unescaped is what a quoted text says.
func unescaped(quoted string) (text string, err error) {
	err = json.Unmarshal([]byte(quoted), &text)
	return text, err
}
