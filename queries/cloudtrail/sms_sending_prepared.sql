-- title           = "Account was prepared to send text messages"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1496.003"]
-- remedy          = "Ask who needs it; set the spending limit back, and look at the messages sent since."
-- false_positives = "Teams that send messages to customers, or call them."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS change,
       sourceIPAddress,
       userAgent,
       account AS resource,
       CASE WHEN eventSource IN ('connect.amazonaws.com', 'chime.amazonaws.com') THEN 'Account was prepared to make telephone calls'
            ELSE 'Account was prepared to send text messages' END AS title
FROM cloudtrail
WHERE eventSource IN ('sns.amazonaws.com', 'sms-voice.amazonaws.com', 'connect.amazonaws.com', 'chime.amazonaws.com')
  AND eventName IN ('SetSMSAttributes', 'SetTextMessageSpendLimitOverride', 'RequestPhoneNumber', 'RequestSenderId', 'CreateSMSSandboxPhoneNumber', 'ClaimPhoneNumber', 'CreatePhoneNumberOrder', 'PutVoiceConnectorTermination')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND (eventName IN ('SetTextMessageSpendLimitOverride', 'RequestPhoneNumber', 'RequestSenderId')
       OR requestParameters LIKE '%MonthlySpendLimit%'
       OR is_by_hand_or_script())
