;; Access rights of sparql-parser (the service `database`) for trying out kimai-sync.
;;
;; A Timekeeper stack does not need this: its own config.lisp grants the same. In another
;; stack, copy the parts marked [kimai-sync], but not the part marked [try-out].

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

;; [kimai-sync] Deleting a work log leaves its Kimai ID (dct:identifier) behind. kimai-sync removes
;; it once the timesheet is deleted in Kimai; by then the rdf:type that would allow this is gone,
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
;; A triple that no line of a writable graph allows is refused with status 500, never dropped silently.
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

;; [kimai-sync] The links between people and accounts. In Timekeeper an administrator creates them.
(define-graph users ("http://mu.semte.ch/graphs/users")
  ("foaf:Person"
    -> "foaf:name"
    -> "foaf:account")
  ("foaf:OnlineAccount"
    -> "foaf:accountName"
    -> "foaf:accountServiceHomepage"))

;; Everybody, logged in or not. By itself it grants nothing: the rights below hold only within a scope.
(supply-allowed-group "public")

;; [kimai-sync] The scope is what kimai-sync sends as mu-auth-scope: its DEFAULT_MU_AUTH_SCOPE.
;; If the two differ, every query is answered with no rows and status 200.
(with-scope "http://services.redpencil.io/timekeeper-kimai-sync-service"
  (grant (read write)
         :to-graph (kimai timesheet)
         :for-allowed-group "public")
  (grant (read)
         :to-graph (users)
         :for-allowed-group "public"))

;; [try-out] Allows writing work logs with curl, without a login. Anyone who can reach
;; the database can do so: never use this in production.
(with-scope "http://kimai-sync.example/try-out"
  (grant (read write)
         :to-graph (timesheet)
         :for-allowed-group "public")
  (grant (read)
         :to-graph (kimai)
         :for-allowed-group "public"))
