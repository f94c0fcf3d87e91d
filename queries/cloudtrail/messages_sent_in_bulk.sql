-- title           = "Very many text messages or mails were sent by a person or with a key of a user"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1496.003", "attack.t1566"]
-- remedy          = "Ask the owner of the key; disable it if nobody can say, and set the spending limit of the account."
-- false_positives = "Applications that work with a user's key: give them a role."
SELECT userIdentity.arn AS who,
       count(*) AS messages,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(eventSource) AS resource
FROM cloudtrail
WHERE eventSource IN ('sns.amazonaws.com', 'sms-voice.amazonaws.com', 'ses.amazonaws.com', 'connect.amazonaws.com')
  AND eventName IN ('Publish', 'SendTextMessage', 'SendVoiceMessage', 'SendEmail', 'SendRawEmail', 'SendBulkEmail', 'SendTemplatedEmail', 'StartOutboundVoiceContact')
  AND (eventName <> 'Publish'
       OR json_contains(requestParameters, 'phoneNumber'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND is_by_hand()
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(*) >= 20
