;; Access rights of sparql-parser (the service `database`) for trying out kimai-sync.
;;
;; In a Timekeeper stack nothing of this is needed: its own config.lisp grants the same. In another
;; stack take over the parts marked [kimai-sync]; leave the part marked [try-out] behind.

;;;;;;;;;;;;;;;;;;;
;;; delta messenger
(in-package :delta-messenger)

;; [kimai-sync] Every change goes to the delta-notifier, which passes on what its rules match.
(add-delta-messenger "http://delta-notifier/")
(setf *log-delta-messenger-message-bus-processing* nil)

;;;;;;;;;;;;;;;;;
;;; configuration
(in-package :client)
(setf *log-sparql-query-roundtrip* nil) ; t shows every query sent to Virtuoso, and its answer
(setf *backend* "http://triplestore:8890/sparql")

(in-package :server)
(setf *log-incoming-requests-p* nil) ; t shows every query that comes in, and with which rights

;;;;;;;;;;;;;;;;
;;; prefix types
(in-package :type-cache)

;; [kimai-sync] Deleting a work log leaves its Kimai number (dct:identifier) behind. kimai-sync takes
;; it away once the timesheet is deleted in Kimai; by then the rdf:type that would allow this is gone,
;; so it is derived from the URI.
(add-type-for-prefix "http://timekeeper.redpencil.io/work-logs/" "http://www.w3.org/2002/12/cal/ical#Vevent")

;;;;;;;;;;;;;;;;;
;;; access rights
(in-package :acl)

(defparameter *access-specifications* nil)
(defparameter *graphs* nil)
(defparameter *rights* nil)

(define-prefixes
  :mu "http://mu.semte.ch/vocabularies/core/"
  :ext "http://mu.semte.ch/vocabularies/ext/"
  :rdf "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
  :rdfs "http://www.w3.org/2000/01/rdf-schema#"
  :skos "http://www.w3.org/2004/02/skos/core#"
  :wf "http://www.w3.org/2005/01/wf/flow#"
  :cal "http://www.w3.org/2002/12/cal/ical#"
  :foaf "http://xmlns.com/foaf/0.1/"
  :dct "http://purl.org/dc/terms/"
  :prov "http://www.w3.org/ns/prov#"
  :doap "http://usefulinc.com/ns/doap#"
  :ui "http://www.w3.org/ns/ui#")

;; [kimai-sync] Work logs (cal:Vevent), timesheets (skos:Collection) and people.
;; A triple that no line of a writable graph allows is refused with status 500, never dropped in silence.
(define-graph timesheet ("http://mu.semte.ch/graphs/redpencil")
  ("cal:Vevent" -> _)
  ("skos:Collection" -> _)
  ("foaf:Person" -> _)
  ("foaf:OnlineAccount" -> _))

;; [kimai-sync] What is imported from Kimai: customers (prov:Organization), projects and activities
;; (each also a wf:Task), accounts. An account is allowed here and above, so it is stored in both.
(define-graph kimai ("http://mu.semte.ch/graphs/kimai")
  ("prov:Organization" -> _)
  ("wf:Task"
    -> "mu:uuid"
    -> "rdf:type"
    -> "rdfs:label"
    -> "skos:inScheme"
    -> "skos:topConceptOf"
    -> "skos:broader"
    -> "dct:identifier"
    -> "ui:color"
    -> "prov:wasAttributedTo")
  ("doap:Project"
    -> "mu:uuid"
    -> "rdf:type"
    -> "rdfs:label"
    -> "skos:inScheme"
    -> "skos:topConceptOf"
    -> "dct:identifier"
    -> "ui:color"
    -> "prov:wasAttributedTo")
  ("ext:KimaiActivity"
    -> "mu:uuid"
    -> "rdf:type"
    -> "rdfs:label"
    -> "skos:inScheme"
    -> "skos:broader"
    -> "dct:identifier"
    -> "ui:color")
  ("foaf:OnlineAccount" -> _))

;; [kimai-sync] Who is linked to which account. In Timekeeper an administrator makes the link.
(define-graph users ("http://mu.semte.ch/graphs/users")
  ("foaf:Person"
    -> "foaf:name"
    -> "foaf:account")
  ("foaf:OnlineAccount"
    -> "foaf:accountName"
    -> "foaf:accountServiceHomepage"))

;; Everybody, logged in or not. Alone it opens nothing: the rights below hold only within a scope.
(supply-allowed-group "public")

;; [kimai-sync] The scope is what kimai-sync sends as mu-auth-scope: its DEFAULT_MU_AUTH_SCOPE.
;; Were the two to differ, every query would be answered with no rows and status 200.
(with-scope "http://services.redpencil.io/timekeeper-kimai-sync-service"
  (grant (read write)
         :to-graph (kimai timesheet)
         :for-allowed-group "public")
  (grant (read)
         :to-graph (users)
         :for-allowed-group "public"))

;; [try-out] Lets a person at the keyboard write work logs with curl, without a login. Whoever reaches
;; the database may do so: never in production.
(with-scope "http://kimai-sync.example/try-out"
  (grant (read write)
         :to-graph (timesheet)
         :for-allowed-group "public")
  (grant (read)
         :to-graph (kimai)
         :for-allowed-group "public"))
