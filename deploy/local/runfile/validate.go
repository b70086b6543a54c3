package runfile

import (
	"errors"
	"fmt"
)

// validate checks what the schema cannot say: version, unique ids and ports,
// known words.
func (f *File) validate() error {
	if f.Version != 1 {
		return fmt.Errorf("version is %d: only version 1 is known", f.Version)
	}
	if len(f.Apps) == 0 {
		return errors.New("there is no app in it")
	}
	ids := map[string]bool{}
	ports := map[int]Port{}
	for i := range f.Apps {
		app := &f.Apps[i]
		if ids[app.AppID] {
			return fmt.Errorf("two apps have the appID %s", app.AppID)
		}
		ids[app.AppID] = true
		if err := app.validateWords(); err != nil {
			return err
		}
		for _, port := range app.Ports() {
			if err := claim(ports, port); err != nil {
				return err
			}
		}
	}
	return nil
}

func claim(taken map[int]Port, port Port) error {
	number := *port.Value
	if number == 0 {
		return nil
	}
	if number < 0 || number > 65535 {
		return fmt.Errorf("app %s: %s %d is not a port", port.App, port.Field, number)
	}
	if other, ok := taken[number]; ok {
		return fmt.Errorf("app %s: %s %d is also %s's %s",
			port.App, port.Field, number, other.App, other.Field)
	}
	taken[number] = port
	return nil
}

func (a *App) validateWords() error {
	for _, d := range []Destination{a.AppLogDestination, a.DaprdLogDestination} {
		switch d {
		case "", Console, LogFile, FileAndConsole:
		default:
			return fmt.Errorf("app %s: log destination %q is not one of console, file, fileAndConsole",
				a.AppID, d)
		}
	}
	switch a.AppProtocol {
	case "", "http", "https", "grpc", "grpcs", "h2c":
	default:
		return fmt.Errorf("app %s: appProtocol %q is not one of http, https, grpc, grpcs, h2c",
			a.AppID, a.AppProtocol)
	}
	return nil
}
