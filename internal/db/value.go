package db

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

// The kinds of values that statements take and give.
const (
	kindNull = iota
	kindText
	kindInteger
	kindFloat
	kindBool
	kindBytes
)

// kindNames are the kinds in words.
var kindNames = [...]string{"nothing", "a text", "a whole number", "a number", "a boolean", "bytes"}

// A value is an argument of a statement, as both engines take it.
type value struct {
	kind  int
	n     int64 // of a boolean 0 or 1
	f     float64
	text  string
	bytes []byte
}

// set makes v of an argument: the types that columns have in Go, pointers to them, what
// is made of them by a type definition, and Fields.
func (v *value) set(arg any) error {
	*v = value{kind: kindNull}
	switch a := arg.(type) {
	case nil:
	case string:
		v.kind, v.text = kindText, a
	case *string:
		if a != nil {
			v.kind, v.text = kindText, *a
		}
	case textField:
		if *a.s != "" {
			v.kind, v.text = kindText, *a.s
		}
	case int64:
		v.kind, v.n = kindInteger, a
	case *int64:
		if a != nil {
			v.kind, v.n = kindInteger, *a
		}
	case int:
		v.kind, v.n = kindInteger, int64(a)
	case timeField:
		if !a.t.IsZero() {
			v.kind, v.n = kindInteger, a.t.UnixMicro()
		}
	case bool:
		v.setBool(a)
	case *bool:
		if a != nil {
			v.setBool(*a)
		}
	case []byte:
		v.setBytes(a)
	case *[]byte:
		if a != nil {
			v.setBytes(*a)
		}
	case float64:
		v.kind, v.f = kindFloat, a
	case time.Time:
		return errors.New("a time is written by db.Time")
	case Field:
		plain, err := a.Value()
		if err != nil {
			return err
		}
		return v.set(plain)
	default:
		return v.reflect(reflect.ValueOf(arg))
	}
	return nil
}

func (v *value) setBool(b bool) {
	v.kind = kindBool
	if b {
		v.n = 1
	}
}

func (v *value) setBytes(b []byte) {
	if b != nil {
		v.kind, v.bytes = kindBytes, b
	}
}

// reflect is set for types that are not among those of set, but are made of them.
func (v *value) reflect(arg reflect.Value) error {
	switch {
	case arg.Kind() == reflect.Pointer:
		if arg.IsNil() {
			return nil
		}
		return v.set(arg.Elem().Interface())
	case arg.Kind() == reflect.String:
		v.kind, v.text = kindText, arg.String()
	case arg.CanInt():
		v.kind, v.n = kindInteger, arg.Int()
	case arg.CanUint() && arg.Uint() <= math.MaxInt64:
		v.kind, v.n = kindInteger, int64(arg.Uint())
	case arg.CanFloat():
		v.kind, v.f = kindFloat, arg.Float()
	case arg.Kind() == reflect.Bool:
		v.setBool(arg.Bool())
	case arg.Kind() == reflect.Slice && arg.Type().Elem().Kind() == reflect.Uint8:
		v.setBytes(arg.Bytes())
	default:
		return fmt.Errorf("%s cannot be stored", arg.Type())
	}
	return nil
}

// assign puts a value into what dst points to. It is an int64, a float64, a bool, a
// string, bytes, or nil.
func assign(dst, v any) error {
	switch d := dst.(type) {
	case Field:
		return d.Scan(v)
	case *any:
		*d = v
		return nil
	}
	to := reflect.ValueOf(dst)
	if to.Kind() != reflect.Pointer || to.IsNil() {
		return fmt.Errorf("%T is no destination", dst)
	}
	to = to.Elem()
	if v == nil {
		if to.Kind() == reflect.Pointer || to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8 {
			to.SetZero()
			return nil
		}
		return fmt.Errorf("NULL does not fit into %T", dst)
	}
	if to.Kind() == reflect.Pointer {
		to.Set(reflect.New(to.Type().Elem()))
		return assign(to.Interface(), v)
	}
	misfit := fmt.Errorf("%T does not fit into %T", v, dst)
	switch from := v.(type) {
	case int64:
		switch {
		case to.CanInt() && !to.OverflowInt(from):
			to.SetInt(from)
		case to.CanUint() && from >= 0 && !to.OverflowUint(uint64(from)):
			to.SetUint(uint64(from))
		case to.CanFloat():
			to.SetFloat(float64(from))
		case to.Kind() == reflect.Bool && (from == 0 || from == 1):
			to.SetBool(from == 1)
		case to.Kind() == reflect.String:
			to.SetString(strconv.FormatInt(from, 10))
		default:
			return misfit
		}
		return nil
	case float64:
		if to.CanFloat() {
			to.SetFloat(from)
			return nil
		}
		return misfit
	case bool:
		if to.Kind() == reflect.Bool {
			to.SetBool(from)
			return nil
		}
		return misfit
	case string:
		return assignText(to, from, misfit)
	case []byte:
		return assignText(to, string(from), misfit)
	}
	return misfit
}

// assignText puts a text into a string, into bytes, or into a number that it names.
func assignText(to reflect.Value, text string, misfit error) error {
	switch {
	case to.Kind() == reflect.String:
		to.SetString(text)
		return nil
	case to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8:
		to.SetBytes([]byte(text))
		return nil
	case to.CanInt():
		n, err := strconv.ParseInt(text, 10, to.Type().Bits())
		if err == nil {
			to.SetInt(n)
		}
		return err
	}
	return misfit
}
