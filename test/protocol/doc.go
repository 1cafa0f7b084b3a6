// Package protocol tells stories to the whole server through HTTP alone: what
// people, browsers and applications see, chapter by chapter. It holds tests
// only.
package protocol
