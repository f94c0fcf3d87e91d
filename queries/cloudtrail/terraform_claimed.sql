-- title           = "Changes were made in the name of Terraform or Pulumi that they do not make so"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1036"]
-- remedy          = "Ask the owner of the principal whether Terraform, OpenTofu or Pulumi ran there then. A user agent is what the caller writes: if nobody ran it, disable the key or revoke the sessions, and read what was changed."
-- false_positives = "Trails that leave out reads, of which nothing can be told: suppress the rule there."
-- description     = "Terraform asks who it is before all else, and reads what it manages before and after each change, and so do OpenTofu and Pulumi. A session of changes with their user agent and without one read was made by something else, which hides from rules that leave them alone."
SELECT userIdentity.arn AS who,
       count(*) AS changes,
       sample(eventName) AS calls,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(userIdentity.arn) AS resource
FROM cloudtrail
WHERE regexp_like(userAgent, 'Terraform|OpenTofu|Pulumi')
  AND managementEvent
  AND userIdentity.invokedBy IS NULL
GROUP BY account, userIdentity.arn, session(eventTime, INTERVAL '20 minutes')
HAVING count(*) FILTER (WHERE readOnly) = 0
    -- a service in which things were made and nothing was read
    OR count(DISTINCT eventSource) FILTER (WHERE is_person()
                                              AND NOT regexp_like(eventName, '^(Delete|Detach|Remove|Disassociate|Revoke|Deregister|Untag|Schedule|Disable)'))
         > count(DISTINCT eventSource) FILTER (WHERE readOnly)
