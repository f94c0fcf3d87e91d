-- title           = "Call that only the agent of an ECS node makes was made by hand"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.t1552.005", "attack.privilege_escalation", "attack.persistence", "attack.t1525"]
-- remedy          = "Ask whoever it was. Who speaks as the agent gets the credentials of all tasks on the node, and a machine that joined a cluster gets its tasks: rotate the sessions of their roles, and keep tasks from the metadata service of their nodes."
-- false_positives = "Machines that are set up as nodes by a script."
SELECT eventTime,
       eventName,
       requestParameters ->> 'cluster' AS cluster,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'containerInstance', requestParameters ->> 'task', requestParameters ->> 'cluster') AS resource
FROM cloudtrail
WHERE eventSource = 'ecs.amazonaws.com'
  AND eventName IN ('DiscoverPollEndpoint', 'RegisterContainerInstance', 'SubmitTaskStateChange', 'SubmitContainerStateChange')
  AND errorCode IS NULL
  AND is_by_hand_or_script()
