package audit

import "slices"

// A Name says what kind of deed an event is. Only this file makes names, so nothing
// can be recorded that the pages have no words for: each has three texts in the
// catalogues, and a test asks for them.
type Name struct{ text string }

// String is the name as scripts know it.
func (n Name) String() string { return n.text }

// A Family is the events that people look for together.
type Family string

// The families, in the order in which filters offer them.
const (
	ofComing   Family = "sign-in"  // signing in and out, and what was refused
	ofPasskeys Family = "passkeys" // and API keys
	ofApps     Family = "apps"     // who let which application know what
	ofPeople   Family = "people"
	ofGroups   Family = "groups"
	ofClients  Family = "clients"
	ofSystem   Family = "system" // settings, keys, set-up
)

// What became of those who wanted to come in. These are no families: SignedIn is whoever
// came in, TurnedAway what was refused to people, whichever family it is of.
const (
	SignedIn   Family = "signed-in"
	TurnedAway Family = "turned-away"
)

// Families are all of them.
var Families = []Family{ofComing, ofPasskeys, ofApps, ofPeople, ofGroups, ofClients, ofSystem}

// A kind is what is known of a name.
type kind struct {
	name   Name
	family Family
}

var (
	kinds  []kind
	byText = map[string]kind{}
)

func declare(family Family, text string) Name {
	k := kind{Name{text}, family}
	kinds = append(kinds, k)
	byText[text] = k
	return k.name
}

// The events. Those in capitals are names that people and scripts know from
// elsewhere; our own have a dot. A name is never changed, for old entries carry it.
// A new one needs its words: event.<name>.title, event.<name> and, when it concerns a
// person, event.<name>.you.
var (
	SignIn           = declare(ofComing, "SIGN_IN")
	TokenSignIn      = declare(ofComing, "TOKEN_SIGN_IN")
	SessionSteppedUp = declare(ofComing, "session.stepped_up")
	SessionEnded     = declare(ofComing, "session.ended")
	LoginCodeMade    = declare(ofComing, "login_code.made")
	LoginCodeRevoked = declare(ofComing, "login_code.revoked")
	LoginCodeRefused = declare(ofComing, "login_code.refused")
	PasskeyRefused   = declare(ofComing, "passkey.refused")

	PasskeyAdded   = declare(ofPasskeys, "PASSKEY_ADDED")
	PasskeyRenamed = declare(ofPasskeys, "passkey.renamed")
	PasskeyRemoved = declare(ofPasskeys, "PASSKEY_REMOVED")
	APIKeyMade     = declare(ofPasskeys, "api_key.made")
	APIKeyEdited   = declare(ofPasskeys, "api_key.edited")
	APIKeyRenewed  = declare(ofPasskeys, "api_key.renewed")
	APIKeyRevoked  = declare(ofPasskeys, "api_key.revoked")

	ClientAuthorization    = declare(ofApps, "CLIENT_AUTHORIZATION")
	NewClientAuthorization = declare(ofApps, "NEW_CLIENT_AUTHORIZATION")
	DeviceAuthorization    = declare(ofApps, "DEVICE_CODE_AUTHORIZATION")
	NewDeviceAuthorization = declare(ofApps, "NEW_DEVICE_CODE_AUTHORIZATION")
	DeviceDeclined         = declare(ofApps, "device.declined")
	TokenExchanged         = declare(ofApps, "token.exchanged")
	ConsentRevoked         = declare(ofApps, "consent.revoked")
	ClientRefused          = declare(ofApps, "client.refused")
	GrantRevoked           = declare(ofApps, "grant.revoked")
	LogoutDelivered        = declare(ofApps, "logout.delivered")
	LogoutFailed           = declare(ofApps, "logout.failed")

	AccountCreated    = declare(ofPeople, "ACCOUNT_CREATED")
	UserEdited        = declare(ofPeople, "user.edited")
	UserProfileEdited = declare(ofPeople, "user.profile_edited")
	UserLookEdited    = declare(ofPeople, "user.look_edited")
	UserPictureEdited = declare(ofPeople, "user.picture_edited")
	UserClaimsEdited  = declare(ofPeople, "user.claims_edited")
	UserGroupsEdited  = declare(ofPeople, "user.groups_edited")
	UserSignedOut     = declare(ofPeople, "user.signed_out_everywhere")
	UserDisabled      = declare(ofPeople, "user.disabled")
	UserEnabled       = declare(ofPeople, "user.enabled")
	UserDeleted       = declare(ofPeople, "user.deleted")
	UserExpired       = declare(ofPeople, "user.expired")
	UserPurged        = declare(ofPeople, "user.purged")
	UserNamesReleased = declare(ofPeople, "user.names_released")
	ServiceCreated    = declare(ofPeople, "service_account.created")
	ServiceEdited     = declare(ofPeople, "service_account.edited")
	ServiceHandedOver = declare(ofPeople, "service_account.handed_over")
	BatchStarted      = declare(ofPeople, "users.batch_started")
	BatchStopped      = declare(ofPeople, "users.batch_stopped")

	GroupCreated       = declare(ofGroups, "group.created")
	GroupEdited        = declare(ofGroups, "group.edited")
	GroupClaimsEdited  = declare(ofGroups, "group.claims_edited")
	GroupMembersEdited = declare(ofGroups, "group.members_edited")
	GroupDeleted       = declare(ofGroups, "group.deleted")

	ClientCreated       = declare(ofClients, "client.created")
	ClientEdited        = declare(ofClients, "client.edited")
	ClientLogoEdited    = declare(ofClients, "client.logo_edited")
	ClientDisabled      = declare(ofClients, "client.disabled")
	ClientEnabled       = declare(ofClients, "client.enabled")
	ClientDeleted       = declare(ofClients, "client.deleted")
	ClientSecretAdded   = declare(ofClients, "client.secret_added")
	ClientSecretRemoved = declare(ofClients, "client.secret_removed")
	ExchangeAllowed     = declare(ofClients, "token_exchange.allowed")
	ExchangeForbidden   = declare(ofClients, "token_exchange.forbidden")

	ClientRegistered         = declare(ofClients, "client.registered")
	ClientReregistered       = declare(ofClients, "client.reregistered")
	ClientDeregistered       = declare(ofClients, "client.deregistered")
	ClientExpired            = declare(ofClients, "client.expired")
	ClientDocumentRead       = declare(ofClients, "client.document_read")
	ClientDocumentChanged    = declare(ofClients, "client.document_changed")
	ClientDocumentForbidden  = declare(ofClients, "client.document_forbidden")
	RegistrationTokenMade    = declare(ofClients, "registration_token.made")
	RegistrationTokenRevoked = declare(ofClients, "registration_token.revoked")
	APICreated               = declare(ofClients, "api.created")
	APIEdited                = declare(ofClients, "api.edited")
	APIDeleted               = declare(ofClients, "api.deleted")
	APIClientEdited          = declare(ofClients, "api.client_edited")

	SettingsEdited = declare(ofSystem, "settings.edited")
	// EncryptionKeyRotated is a change of the key that secrets are sealed with.
	EncryptionKeyRotated = declare(ofSystem, "encryption_key.rotated")
	AuditExported        = declare(ofSystem, "audit.exported")
	BackupMade           = declare(ofSystem, "backup.made")
	BackupRestored       = declare(ofSystem, "backup.restored")
	KeyPublished         = declare(ofSystem, "key.published")
	KeyHastened          = declare(ofSystem, "key.hastened")
	KeyActivated         = declare(ofSystem, "key.activated")
	KeyRetired           = declare(ofSystem, "key.retired")
	KeyCompromised       = declare(ofSystem, "key.compromised")
	SetupOpened          = declare(ofSystem, "setup.opened")
	SetupRefused         = declare(ofSystem, "setup.refused")
	JobRetried           = declare(ofSystem, "job.retried")
	JobForgotten         = declare(ofSystem, "job.forgotten")
	HouseImported        = declare(ofSystem, "house.imported")
)

// Names are all names that can be recorded, family by family.
func Names() []Name {
	var all []Name
	for _, f := range Families {
		all = append(all, f.Names()...)
	}
	return all
}

// outcomes are the events of SignedIn and TurnedAway.
var outcomes = map[Family][]Name{
	SignedIn:   {SignIn, TokenSignIn},
	TurnedAway: {PasskeyRefused, LoginCodeRefused, ClientRefused, DeviceDeclined, SetupRefused},
}

// Names are the names of a family; none when there is no such family.
func (f Family) Names() []Name {
	of := slices.Clone(outcomes[f])
	for _, k := range kinds {
		if k.family == f {
			of = append(of, k.name)
		}
	}
	return of
}

// Named is the name with this text.
func Named(text string) (Name, bool) {
	k, ok := byText[text]
	return k.name, ok
}

// Family is the family of a name.
func (n Name) Family() Family { return byText[n.text].family }

// In tells whether n is one of names.
func (n Name) In(names ...Name) bool { return slices.Contains(names, n) }
